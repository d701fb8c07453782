"""The examples of docs/identity.md, identical to the shop's code or run here; and an order as described in the
README.
"""

import re
import shutil
import subprocess
from pathlib import Path

import jwt
import pytest

from tests.patience import PATIENCE_SECONDS
from tests.shop.process import CHANNEL_KEY, IDENTITY_SECRET, MANAGE, Json, ShopProcess

DOCS = Path(__file__).parents[2] / "docs" / "identity.md"
SHOP = MANAGE.parent / "shop"
NODE = f"""
const customer = {{ id: 1006, name: "Élodie Garnier", email: "elodie.garnier@mail.example" }};
process.stdout.write(signIdentity(customer, "{CHANNEL_KEY}", "{IDENTITY_SECRET}"));
"""
PHP = f"""
$customer = ['id' => 1006, 'name' => 'Élodie Garnier', 'email' => 'elodie.garnier@mail.example'];
echo sign_identity($customer, '{CHANNEL_KEY}', '{IDENTITY_SECRET}');
"""


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(), re.S)


@pytest.mark.parametrize(("position", "file"), [(0, "identity.py"), (1, "views/chat_token.py")])
def test_the_python_in_the_docs_is_the_shops_code(position: int, file: str) -> None:
    _, code = (SHOP / file).read_text().split('"""\n\n', 1)
    assert examples("python")[position] == code


@pytest.mark.parametrize(
    ("language", "command"),
    [
        ("js", ["node", "--input-type=module", "--eval", "{}" + NODE]),
        ("php", ["php", "-r", "{}" + PHP]),
    ],
)
def test_examples_for_other_servers_produce_the_same_signature(language: str, command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not on this machine")
    code = examples(language)[0]
    run = [*command[:-1], command[-1].replace("{}", code, 1)]
    token = subprocess.run(run, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS).stdout
    claims = jwt.decode(token, IDENTITY_SECRET, algorithms=["HS256"], audience=CHANNEL_KEY)
    assert (claims["sub"], claims["name"]) == ("1006", "Élodie Garnier")
    assert claims["exp"] - claims["iat"] == 3600


def test_the_readme_names_every_field_of_an_order(any_shop: ShopProcess) -> None:
    """Readers build their own shop with it."""
    found = re.search(r"An order is `(.*?)`", (MANAGE.parent / "README.md").read_text(), re.S)
    assert found is not None
    sent = {name for order in ("WF-20418", "WF-20431") for name in names_in(any_shop.order(order))}
    assert set(re.findall(r'"(\w+)"', found[1])) == sent


def names_in(value: Json) -> set[str]:
    if isinstance(value, list):
        return {name for entry in value for name in names_in(entry)}
    return {*value, *(name for part in value.values() for name in names_in(part))} if isinstance(value, dict) else set()
