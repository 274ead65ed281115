"""``python -m mock_services.witness --port 0 --log VKEY`` starts it; ``--log`` may be repeated."""

import argparse
import time
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from fastapi import FastAPI
from starlette.types import ASGIApp

from mock_services.admin import Admin
from mock_services.serve import arguments, serve
from mock_services.witness.app import LogKey, MockWitness, install

SERVICE = "witness"


def build(base_url: str, options: argparse.Namespace) -> ASGIApp:
    """The whole mock for ``base_url``, by whose host it is named."""
    keys = [LogKey.parse(text) for text in options.log]
    origins = {key.name: [each for each in keys if each.name == key.name] for key in keys}
    options.data_dir.mkdir(parents=True, exist_ok=True)
    witness = MockWitness(
        f"{urlsplit(base_url).netloc}/w1",
        _key(options.data_dir / "witness-key.pem"),
        origins,
        options.data_dir / "state.json",
        lambda: int(time.time()),
        lambda: admin.faults.take("wrong_signature", "/add-checkpoint") is not None,
    )
    admin = Admin(SERVICE, reset=witness.forget)
    app = FastAPI(title="见证方（模拟）")
    install(app, witness)
    app.include_router(admin.router())
    return admin.wrap(app)


def _key(path: Path) -> Ed25519PrivateKey:
    if not path.exists():
        made = Ed25519PrivateKey.generate()
        path.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        path.chmod(0o600)
    loaded = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(loaded, Ed25519PrivateKey):
        raise TypeError("a witness signs with Ed25519")
    return loaded


def main() -> None:
    """Read the command line and serve."""
    parser = arguments(SERVICE, "witness of transparency logs (C2SP tlog-witness) in the mock province")
    parser.add_argument("--log", action="append", default=[], metavar="VKEY", help="a log's verifier key (type 01)")
    options = parser.parse_args()
    serve(SERVICE, options, lambda base_url: build(base_url, options))


if __name__ == "__main__":
    main()
