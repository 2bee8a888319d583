"""Files that programs execute or obey by themselves: writing one gets a command run later."""

from __future__ import annotations

import re
import sys
from fnmatch import translate
from itertools import pairwise
from typing import TYPE_CHECKING

from . import file_names

if TYPE_CHECKING:
    from pathlib import Path

#: Folders whose files are executed or obeyed, as globs without case.
_FOLDERS = (
    # Version control, editors, assistants.
    *(".git", ".githooks", ".hg", ".svn", ".jj", ".husky", ".idea", ".vscode", ".vscode-server"),
    *(".fleet", ".zed", ".nvim", ".vim", ".emacs.d", ".claude", ".claude-plugin", ".codex"),
    *(".cursor", ".windsurf", ".clinerules", ".roo", ".continue", ".aider*", ".gemini", ".copilot"),
    *(".devcontainer", ".ipython", ".jupyter", "nbextensions", "labextensions"),
    # Continuous integration.
    *(".github", ".gitlab", ".circleci", ".buildkite", ".woodpecker", ".teamcity", ".azuredevops"),
    *(".forgejo", ".gitea"),
    # Environments and what is installed.
    *(".venv*", "venv", "venv[0-9]*", "virtualenv", ".virtualenvs", ".tox", ".nox", ".conda"),
    *(".pixi", ".direnv", "site-packages", "dist-packages", "__pypackages__", "__pycache__"),
    *("node_modules", "miniconda*", "anaconda*", "miniforge*", "mambaforge*", "micromamba"),
    *("conda-meta", "*.egg-info", "*.dist-info", "renv", ".rlib"),
    # Homes and systems.
    *(".config", ".local", "autostart", "launchagents", "launchdaemons", "startup", "systemd"),
    *("cron.d", "cron.daily", "cron.hourly", "cron.weekly", "cron.monthly", "init.d", "profile.d"),
    *("rc.d", "udev", "bin", "sbin", ".ssh", ".gnupg", ".docker", ".kube", ".aws", ".npm"),
    *(".cargo", ".gradle", ".m2", ".pip", ".bundle", ".matplotlib", ".streamlit"),
)

#: Files that are executed or obeyed, as globs without case.
_FILES = (
    # Python.
    *("*.pth", "*._pth", "*.egg-link", "*.pyc", "*.pyd", "*.so", "*.dll", "*.dylib", "pyvenv.cfg"),
    *("sitecustomize.py", "usercustomize.py", "conftest.py", "setup.py", "setup.cfg"),
    *("pyproject.toml", "pytest.ini", ".pytest.ini", "pytest.toml", "tox.ini", "tox.toml"),
    *("noxfile.py", "fabfile.py", "dodo.py", "pavement.py", "wscript"),
    *("sconstruct", "sconscript", ".pdbrc*", ".pythonrc*", ".pythonstartup", ".pypirc"),
    *(".pydistutils.cfg", "pip.conf", "pip.ini", ".condarc", "condarc", "uv.toml", "poetry.toml"),
    *("pixi.toml", ".python-version", ".coveragerc"),
    *("mypy.ini", ".mypy.ini", ".pylintrc", "pylintrc", "matplotlibrc", "jupyter_*config*"),
    *("ipython_*config*", "nbconvert_config*", "papermill_config*"),
    # Building and running.
    *("makefile", "makefile.*", "gnumakefile", "*.mk", "*.mak", "justfile", ".justfile", "*.just"),
    *("rakefile*", "gemfile*", "*.gemspec", "guardfile", "vagrantfile", "procfile*"),
    *("cmakelists.txt", "*.cmake", "cmakepresets.json", "build.gradle*", "settings.gradle*"),
    *("gradle-wrapper.*", "gradlew*", "mvnw*", "pom.xml", "build.xml", "build.rs"),
    *("meson.build", "build.bazel", ".bazelrc", "snakefile*", "*.smk"),
    *(
        "nextflow.config",
        "*.nf",
        "dvc.yaml",
        "taskfile.y*ml",
        "earthfile",
        "tiltfile",
        "dockerfile*",
    ),
    *("*.dockerfile", "containerfile*", "docker-compose*", "compose*.y*ml", "devcontainer.json"),
    *("package.json", "package-lock.json", ".npmrc", ".yarnrc*", ".pnp.*", ".pnpmfile.*"),
    *("pnpm-workspace.yaml", "gulpfile.*", "gruntfile.*", "*.config.js", "*.config.?js"),
    *("*.config.ts", "*.config.?ts", ".eslintrc*", ".prettierrc*", ".babelrc*", "deno.json*"),
    *("bunfig.toml", "composer.json", "configure.ac", "autogen.sh"),
    # Continuous integration and hooks.
    *("jenkinsfile*", ".gitlab-ci*.y*ml", ".travis.y*ml", "azure-pipelines*.y*ml", ".drone*.y*ml"),
    *("bitbucket-pipelines.y*ml", "appveyor.y*ml", ".appveyor.y*ml", "cloudbuild*.y*ml"),
    *("buildspec*.y*ml", ".woodpecker*", "codefresh.y*ml", "wercker.y*ml", "renovate.json*"),
    *(".pre-commit-config.y*ml", ".pre-commit-hooks.y*ml", ".lefthook*", "lefthook.y*ml"),
    *(".overcommit.y*ml", ".huskyrc*", ".lintstagedrc*", ".readthedocs.y*ml", "netlify.toml"),
    *("vercel.json", "fly.toml", "render.yaml"),
    # Git, assistants.
    *(".gitconfig", ".gitattributes", ".gitmodules"),
    *(
        ".ripgreprc",
        ".mcp.json",
        "mcp.json",
        "claude.md",
        "claude.*.md",
        "agents.md",
        "agents.*.md",
    ),
    *("agent.md", "gemini.md", "qwen.md", "warp.md", "copilot-instructions.md", ".cursorrules"),
    *(".windsurfrules", ".cursorignore", ".goosehints", ".clinerules", "skill.md"),
    # Shells, editors and other programs.
    *(".bash*", ".zsh*", ".zlog*", ".zprofile", ".profile", ".login", ".logout", ".cshrc"),
    *(".tcshrc", ".kshrc", ".mkshrc", ".shrc", ".ashrc", ".xonshrc", "config.fish", "*.fish"),
    *(".envrc", ".direnvrc", ".env*", ".tool-versions", ".mise*.toml", "mise*.toml", ".nvmrc"),
    *(".sdkmanrc", ".xinitrc", ".xprofile", ".xsession*", ".xserverrc", ".pam_environment"),
    *(".inputrc", ".vimrc", "_vimrc", ".gvimrc", ".exrc", "_exrc", ".nvimrc", ".nvim.lua"),
    *(".vim", ".emacs*", "_emacs", "init.el", "early-init.el", ".dir-locals*.el", ".spacemacs"),
    *("init.vim", "init.lua", ".nanorc", ".kakrc", "*.code-workspace", "*.sublime-project"),
    *(".gdbinit", "gdbinit", "*-gdb.py", ".lldbinit*", ".rprofile", "rprofile.site", ".renviron"),
    *(".octaverc", "startup.m", "startup.jl", ".irbrc", ".pryrc", ".perltidyrc", ".perldb"),
    *(".sqliterc", ".psqlrc", ".my.cnf", ".mongorc.js", ".screenrc", ".tmux.conf", "tmux.conf"),
    *(".wgetrc", ".curlrc", "_curlrc", ".netrc", ".lessfilter", ".lesskey", ".dircolors"),
    *(".mailcap", ".muttrc", ".procmailrc", ".forward", ".rhosts", ".hushlogin", ".wezterm.lua"),
    *("crontab*", "*.crontab", "*.service", "*.socket", "*.timer", "*.desktop", "*.plist"),
    *("rc.local", "authorized_keys*", "sudoers*", "ld.so.preload", "autorun.inf"),
    *("autoexec.bat", "profile.ps1", "*_profile.ps1", "microsoft.*profile.ps1", "desktop.ini"),
    *("*.lnk", "*.reg"),
)

#: Files that are executed where they are, as globs for folder and name.
_PLACES = (
    ("env", "bin"),
    ("env", "lib*"),
    ("env", "scripts"),
    ("env", "include"),
    ("env", "share"),
)

_IS_FOLDER = re.compile("|".join(map(translate, _FOLDERS)))
_IS_FILE = re.compile("|".join(map(translate, _FILES)))
_IS_PLACE = tuple((folder, re.compile(translate(name))) for folder, name in _PLACES)

#: What a folder of an environment holds.
_ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")

#: Modules of the standard library are imported from the working directory first. A script may well
#: be called like one of the others.
_SHADOWED = frozenset(sys.stdlib_module_names) - {"test", "this", "antigravity", "__main__"}


def is_obeyed_path(below: tuple[str, ...]) -> bool:
    """Return whether a program executes or obeys a file. Any thread; the disk is not looked at.

    Parameters
    ----------
    below
        The parts of its path below the directory that the person works in, or all of them.
    """
    names = [file_names.plain(part) for part in below]
    return (
        any(_IS_FOLDER.fullmatch(name) or _IS_FILE.fullmatch(name) for name in names)
        or any(
            folder == known and pattern.fullmatch(name)
            for folder, name in pairwise(names)
            for known, pattern in _IS_PLACE
        )
        or _shadows_a_module(names)
    )


def is_in_environment(path: Path, root: Path) -> bool:
    """Return whether a folder between a file and a root is a virtual environment, by its content.

    Any thread; looks at the disk.
    """
    for folder in path.parents:
        if folder == root or not folder.is_relative_to(root):
            return False
        if any((folder / mark).exists() for mark in _ENVIRONMENT_MARKS):
            return True
    return False


def _shadows_a_module(names: list[str]) -> bool:
    if not names or len(names) > 2:  # noqa: PLR2004 - a module, or a package with its __init__.py
        return False
    module, _, ending = names[0].partition(".")
    if len(names) == 1:
        return ending == "py" and module in _SHADOWED
    return names[0] in _SHADOWED and names[1] == "__init__.py"
