"""What conversations begin with, for every user: /etc/ipython/ipython_config.py."""

c = get_config()  # noqa: F821 - IPython provides it

c.ClaudeMagics.model = "sonnet"
c.ClaudeMagics.max_live_sessions = 2
c.ClaudeMagics.budget_usd = 5.0
c.ClaudeMagics.deadline_s = 600.0
