"""Names of files that hold secrets, that are obeyed, and that are ordinary: add yours here."""

from __future__ import annotations

#: Paths whose content is secret by their name.
SECRET = (
    # Environment files and keys.
    *(".env", ".env.local", ".env.example", "prod.env", "prod.env.local", ".envrc", ".flaskenv"),
    *(".ENV", "Prod.Env", "server.pem", "server.key", "a.p12", "a.pfx", "a.jks", "a.kdbx", "a.ppk"),
    *("id_rsa", "id_rsa.pub", "id_ed25519_work", "age/keys.txt", "vpn/home.ovpn", "wg0.conf"),
    # Copies.
    *(".env.bak", ".env~", ".env.old", ".env.orig", ".env.save", ".env.swp", "..env.swp"),
    *("secrets.json.bak", "secrets.json~", ".secrets.json.swp", "server.pem.bak", "server.key.old"),
    *("server.key.1", "server.key.2024-01-01", "id_rsa (1)", "id_rsa copy", "id_rsa.gz"),
    *("id_rsa.tar.gz", "id_rsa_backup", "#.env#", ".#.env", ".netrc~", ".pgpass.bak"),
    *("kaggle-checkpoint.json", "secrets-checkpoint.json", "kaggle (1).json", "kaggle copy 2.json"),
    *("kaggle - Copy.json", "Copy of kaggle.json", "kaggle_old.json", "kaggle.bak.json"),
    *("kaggle.json.dpkg-old", "kaggle.json.rpmsave", "kaggle.json.part", "kaggle.json.tmp"),
    *("kaggle-checkpoint.json.bak.gz~", "terraform.tfstate.backup", "pip.conf.xz", "hosts.yml.7z"),
    *(".pgpass.zst", "rclone.conf.zip", "token.json.bz2", "kaggle.json.~3~", "kaggle.json,v"),
    # Words.
    *("passwords.txt", "my_password.txt", "db-password.yaml", "dbPassword.json", "PGPASSWORD.txt"),
    *("my_secrets.yaml", "secret.yaml", "client-secret.txt", "topSecretValues.csv"),
    *("backup-credentials.csv", "aws_credentials.csv", "creds.json", "credentials", "cred.txt"),
    *("token.json", "token.pickle", "api_token.txt", "slack-token", "github_token.txt"),
    *("api_key.txt", "apiKey.json", "wandb_key.txt", "sa-key.json", "private-key.txt"),
    *("my_password.txt.bak", "api_token (1).txt", "api_token_backup.txt", "apikey.txt.gz"),
    # Credential stores.
    *(".git/config", ".config/git/credentials", ".git-credentials", ".config/gh/hosts.yml"),
    *("hosts.yml", ".config/hub", ".config/rclone/rclone.conf", "rclone.conf", "auth.json"),
    *(".cache/huggingface/token", ".huggingface/token", "pip.conf", ".pypirc", ".condarc"),
    *(
        ".m2/settings.xml",
        ".gradle/gradle.properties",
        "gradle.properties",
        ".npmrc",
        ".yarnrc.yml",
    ),
    *(".docker/config.json", ".config/containers/auth.json", ".kube/config", "kubeconfig"),
    *(".config/gcloud/access_tokens.db", "application_default_credentials.json"),
    *(".azure/accessTokens.json", ".aws/credentials", ".oci/config", ".config/doctl/config.yaml"),
    *(".terraformrc", ".terraform.d/credentials.tfrc.json", "prod.tfvars", "a.tfstate"),
    *("vault.yml", ".vault_pass", ".vault-token", ".Renviron", ".netrc", "_netrc", ".pgpass"),
    *(".my.cnf", ".mylogin.cnf", ".pg_service.conf", ".mongorc.js", ".snowsql/config"),
    *("profiles.yml", ".databrickscfg", "kaggle.json", ".kaggle/kaggle.json", ".comet.config"),
    *("jupyter_server_config.json", ".jupyter/jupyter_server_config.json", ".mlflow/credentials"),
    *(".streamlit/secrets.toml", "config/master.key", "config/credentials.yml.enc", ".htpasswd"),
    *(".ssh/config", ".gnupg/pubring.kbx", "login.keychain-db", "keyrings/login.keyring"),
    *(".mozilla/logins.json", "cookies.sqlite", "Login Data", ".cargo/credentials.toml"),
    *(".gem/credentials", ".composer/auth.json", "nuget.config", "pypoetry/auth.toml"),
    *(".claude/.credentials.json", ".credentials.json", ".claude.json", ".bash_history"),
    *(".ipython/profile_default/history.sqlite", ".vscode/settings.json", "secrets/db"),
    *("firebase-adminsdk-x.json", "service-account.json", "client_secret_1.json", ".s3cfg"),
    *(".boto", "etc/shadow", "wpa_supplicant.conf", "my.cnf", "settings-security.xml"),
)

#: Ordinary paths with names like those of secrets.
ORDINARY = (
    *("tokenizer.json", "tokenizer_config.json", "environment.yml", "secretary.csv"),
    *("passwords_policy.md", "tokens.csv", "keyboard.py", "monkey.png", "env.py", "environment.py"),
    *("key_metrics.csv", "password_strength.ipynb", "special_tokens_map.json", "tokenizer.model"),
    *("secretariat.csv", "tokenization.py", "credentialing.md", "accreditation.csv", "keynote.md"),
    *("token_utils.py", "auth.py", "test_passwords.py", "oauth.md", "hockey.json", "turkey.csv"),
    *("monkeypatch.txt", "authors.json", "hostsfile.py", "git/readme.md", "ssh/notes.txt"),
    *("a.json", "key.py", "data.json.bak", "report (1).csv", "results-checkpoint.ipynb"),
    *("history.csv", "profiles.csv", "settings.xml", "config.yaml", "config.json", "docker.md"),
    *("shadow_prices.csv", "cookie_recipes.csv", "envelope.txt", "environments.csv", "netrc.py"),
    *("vaults.csv", "sacred.txt", "analysis.ipynb", "data.csv", "README.md", "utils.py"),
    *(
        "model.safetensors",
        "vocab.json",
        "merges.txt",
        "pipeline.conf",
        "public_key_cryptography.md",
    ),
)

#: Ordinary paths that Grep leaves out, because no glob of ripgrep tells them from secrets.
LEFT_OUT_BY_GREP = (
    *("token_counts.csv", "password_policy.txt", "token_embeddings.npy", "primary_key.csv"),
    *("answer_key.txt", "eos_token.txt"),
)

#: Files that programs execute or obey.
OBEYED = (
    *("x.pth", "lib/x.pth", ".venv/bin/python", ".venv/lib/python3.11/site-packages/x.py"),
    *("venv/lib/x.py", "env/bin/activate", "env/lib/python3/a.py", "site-packages/a.py"),
    *("node_modules/x/index.js", ".tox/py/x", "miniconda3/bin/conda", "pyvenv.cfg", "a.so"),
    *("__pycache__/a.cpython-311.pyc", "conftest.py", "tests/conftest.py", "setup.py", "setup.cfg"),
    *("pyproject.toml", "tox.ini", "noxfile.py", "pytest.ini", "sitecustomize.py", "random.py"),
    *("statistics/__init__.py", "Makefile", "sub/GNUmakefile", "justfile", "Rakefile", "x.mk"),
    *("CMakeLists.txt", "Dockerfile", "Dockerfile.dev", "docker-compose.yml", "compose.yaml"),
    *("package.json", ".npmrc", ".yarnrc.yml", "vite.config.ts", ".eslintrc.js", "Jenkinsfile"),
    *(".github/workflows/x.yml", ".gitlab-ci.yml", ".circleci/config.yml", "azure-pipelines.yml"),
    *(".travis.yml", ".pre-commit-config.yaml", ".devcontainer/devcontainer.json"),
    *(".git/hooks/pre-commit", "sub/.git/config", ".gitattributes", ".gitmodules", ".gitconfig"),
    *(".husky/pre-commit", ".vscode/tasks.json", ".idea/x", ".mcp.json", ".claude/settings.json"),
    *(
        "CLAUDE.md",
        "CLAUDE.local.md",
        "sub/AGENTS.md",
        "GEMINI.md",
        ".cursorrules",
        ".cursor/rules",
    ),
    *("copilot-instructions.md", "jupyter_server_config.py", "jupyter_config.json"),
    *("ipython_config.py", "ipython_kernel_config.py", ".jupyter/x.py", ".ipython/startup/x.py"),
    *(".bashrc", ".bash_aliases", ".zshrc", ".profile", ".inputrc", ".config/fish/config.fish"),
    *(".config/autostart/x.desktop", ".config/systemd/user/x.service", "x.timer", "crontab"),
    *("Library/LaunchAgents/x.plist", ".local/bin/ls", "bin/ls", ".ssh/authorized_keys", ".vimrc"),
    *(".exrc", ".emacs", ".emacs.d/init.el", "init.el", ".nvimrc", ".dir-locals.el", ".gdbinit"),
    *(".lldbinit", ".pdbrc", ".Rprofile", ".Renviron", ".octaverc", ".direnvrc", ".envrc"),
    *(".tmux.conf", ".screenrc", ".nanorc", ".psqlrc", ".sqliterc", ".condarc", "pip.conf"),
    *(".python-version", ".tool-versions", "MAKEFILE", "ClAuDe.md", "conftest.py ", "Conftest.PY"),
)

#: Files that are edited under a rule or in ``acceptEdits``.
EDITABLE = (
    *("utils.py", "data.csv", "README.md", "analysis.ipynb", "src/model.py", "src/random.py"),
    *("notes.txt", "config.yaml", "results.json", "tests/test_model.py", "environment.yml"),
    *("requirements.txt", ".ipynb_checkpoints/x-checkpoint.ipynb", "environment/a.py", "env.py"),
    *("makefile_parser.py", "claude.py", "docs/agents.rst", "index.html", "test.py", "binary.py"),
    *("figures/a.svg", "scripts/run.py", "query.sql", "setup_data.py"),
)
