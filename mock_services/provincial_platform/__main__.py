"""``python -m mock_services.provincial_platform --port 0 --data-dir DIR``.

The data directory receives ``keys/`` (never to be shared), ``trust/`` (for the gateway: ``anchors/*.pem`` and
``issuers.json``) and ``access.json`` (``accessId`` and ``secret`` of the gateway, made at the first start unless
``--access-id`` and ``PLATFORM_ACCESS_SECRET`` give them).
"""

import json
import os
import secrets
from pathlib import Path

from starlette.types import ASGIApp

from mock_services.pki import ProvincialPki
from mock_services.population import DEFAULT_ENTERPRISES, DEFAULT_RESIDENTS, DEFAULT_SEED
from mock_services.provincial_platform.app import SERVICE, PlatformOptions, create_app
from mock_services.provincial_platform.share import Access
from mock_services.serve import arguments, serve


def main() -> None:
    """Read the command line and serve."""
    parser = arguments(SERVICE, "Provincial e-certificate platform (mock)")
    parser.add_argument("--residents", type=int, default=DEFAULT_RESIDENTS)
    parser.add_argument("--enterprises", type=int, default=DEFAULT_ENTERPRISES)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--trust-dir", type=Path, help="default: DATA_DIR/trust")
    parser.add_argument("--access-id", default="bandian-gateway")
    options = parser.parse_args()

    def build(base_url: str) -> ASGIApp:
        pki = ProvincialPki.build(base_url, options.data_dir / "keys")
        pki.write_trust(options.trust_dir or options.data_dir / "trust")
        access = _access(options.data_dir / "access.json", options.access_id)
        return create_app(PlatformOptions(base_url, access, pki, options.residents, options.enterprises, options.seed))

    serve(SERVICE, options, build)


def _access(path: Path, access_id: str) -> Access:
    secret = os.environ.get("PLATFORM_ACCESS_SECRET")
    if secret is None and path.exists():
        secret = json.loads(path.read_text(encoding="utf-8"))["secret"]
    access = Access(access_id, secret or secrets.token_urlsafe(32))
    content = json.dumps({"accessId": access.access_id, "secret": access.secret})
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    return access


if __name__ == "__main__":
    main()
