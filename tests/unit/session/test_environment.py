from __future__ import annotations

import pytest

from claude_magic.session.environment import CREDENTIALS_BY_DESCRIPTOR, blanked, inherited_names

SECRETS = {
    "AZURE_OPENAI_API_KEY": "secret",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "DATABASE_URL": "secret",
    "GOOGLE_APPLICATION_CREDENTIALS": "secret",
    "HOME_ASSISTANT_TOKEN": "secret",
    "JUPYTERHUB_API_TOKEN": "secret",
    "OPENAI_API_KEY": "secret",
}

CLOUDS = {
    "CLAUDE_CODE_USE_BEDROCK": {"AWS_SECRET_ACCESS_KEY", "AWS_REGION"},
    "CLAUDE_CODE_USE_VERTEX": {"GOOGLE_APPLICATION_CREDENTIALS", "ANTHROPIC_VERTEX_PROJECT_ID"},
    "CLAUDE_CODE_USE_FOUNDRY": {"AZURE_CLIENT_SECRET", "ANTHROPIC_FOUNDRY_API_KEY"},
}

ALL_CLOUDS = {name: "secret" for names in CLOUDS.values() for name in names}


def test_only_names_on_the_list_pass() -> None:
    environ = {**SECRETS, "PATH": "/bin", "HOME": "/home/ada", "ANTHROPIC_MODEL": "x"}
    assert inherited_names(environ) == ["ANTHROPIC_MODEL", "HOME", "PATH"]
    assert inherited_names(SECRETS) == []


def test_every_part_of_the_locale_passes_and_no_more() -> None:
    environ = dict.fromkeys(
        ["LC_TIME", "LC_ALL", "LC", "LCD_KEY", "XLC_ALL", "lc_all", "LANG"], "C"
    )
    assert inherited_names(environ) == ["LANG", "LC_ALL", "LC_TIME"]


def test_a_credential_that_goes_by_descriptor_passes_to_the_supervisor() -> None:
    environ = dict.fromkeys(CREDENTIALS_BY_DESCRIPTOR, "secret")
    assert inherited_names(environ) == ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"]


def test_extras_pass_whether_there_or_not() -> None:
    assert inherited_names(SECRETS, ["DATABASE_URL", "ABSENT"]) == ["ABSENT", "DATABASE_URL"]
    # A name, and no prefix of one.
    assert inherited_names(SECRETS, ["DATABASE"]) == ["DATABASE"]


@pytest.mark.parametrize("switch", CLOUDS)
@pytest.mark.parametrize("value", ["1", "true", "YES", "On"])
def test_a_clouds_credentials_pass_with_its_switch_only(switch: str, value: str) -> None:
    names = inherited_names({**ALL_CLOUDS, **SECRETS, switch: value})
    others = {name for other, names in CLOUDS.items() if other != switch for name in names}
    assert {switch, *CLOUDS[switch]} <= {*names}
    assert not others & {*names}
    assert not {"DATABASE_URL", "JUPYTERHUB_API_TOKEN"} & {*names}


@pytest.mark.parametrize("switch", CLOUDS)
@pytest.mark.parametrize("value", ["", "0", "false", "no", "off"])
def test_a_cloud_that_is_switched_off_gets_nothing(switch: str, value: str) -> None:
    assert inherited_names({**ALL_CLOUDS, switch: value}) == []


def test_on_windows_all_others_lose_their_values() -> None:
    kept = {"PATH": "x", "LC_ALL": "C", "USERNAME": "ada", "PROGRAMFILES(X86)": "x", "MINE": "x"}
    assert blanked({**SECRETS, **kept}, ["MINE"]) == dict.fromkeys(SECRETS, "")
    assert blanked({**ALL_CLOUDS, "CLAUDE_CODE_USE_BEDROCK": "1"}) == dict.fromkeys(
        CLOUDS["CLAUDE_CODE_USE_VERTEX"] | CLOUDS["CLAUDE_CODE_USE_FOUNDRY"],
        "",
    )


@pytest.mark.parametrize("name", ["Path", "SystemRoot", "ProgramFiles", "windir", "Lc_All", "Mine"])
def test_windows_knows_no_case(name: str) -> None:
    assert blanked({name: "x", "Secret": "x"}, ["mINE"]) == {"Secret": ""}
