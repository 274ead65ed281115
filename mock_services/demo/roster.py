"""``python -m mock_services.demo.roster`` writes the partners of the mock province.

With ``--utility-url``, ``--departments-url``, ``--projects-url``, ``--region 440100`` and ``--out FILE``, as
``bandian partners apply FILE`` reads them.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

REGION = "440000"
UTILITY = "csg-guangdong"
PROJECTS = "gd-projects"
SECRET_REF = "webhook-utility"
"""Name of the file with the webhook secret in the gateway's secrets directory."""
DEPARTMENTS = {
    "planning": "规划和自然资源局",
    "road": "城市管理局（道路占用挖掘）",
    "greenery": "林业和园林局",
    "traffic": "公安局交通警察支队",
    "water": "水务局",
}
COMMON = ["name", "issuing_authority", "issued_on", "valid_from_on", "valid_until_on", "valid_on", "held_by"]
AGREED_FIELDS = {
    "business_licence": [*COMMON, "number", "holder", "holder_code"],
    "resident_id": [*COMMON, "holder"],
    "property_certificate": [
        *COMMON,
        "number",
        "location",
        "property_unit_code",
        "land_use",
        "owner_matches",
        "address_matches",
    ],
    "project_approval": [*COMMON, "number", "site", "address_matches"],
    "design_qualification": [*COMMON, "number"],
    "construction_qualification": [*COMMON, "number"],
}
"""What the demo's utility agreed on: deliberately less than certificates hold, and in part more than any stage needs.

What is agreed and not needed (``land_use``, dates of an identity card) is withheld all the same, as ``not_required``.
"""


async def roster_of(utility: str, departments: str, projects: str, cities: Sequence[str]) -> dict[str, Any]:
    """The partners as ``bandian partners apply`` reads them, with the keys that each publishes at its address.

    ``cities`` are the regions in which there are departments. Raises ``httpx.HTTPError``.
    """
    async with httpx.AsyncClient() as http:
        partners = [
            {
                "code": UTILITY,
                "name": "广东电网（模拟）",
                "role": "utility",
                "regions": [REGION],
                "keys": [{"jwk": jwk, "use": "any"} for jwk in await _keys(http, utility)],
                "endpoints": [
                    {
                        "channel": "webhook",
                        "url": f"{utility}/webhooks/bandian",
                        "secret_ref": SECRET_REF,
                        "status_url": f"{utility}/webhooks/bandian/events",
                    }
                ],
                "agreements": [
                    {
                        "purpose": "grid_connection",
                        "grants": [{"kind": kind, "fields": fields} for kind, fields in AGREED_FIELDS.items()],
                        "regions": [REGION],
                        "valid_from": "2026-01-01",
                        "valid_until": "2030-12-31",
                        "clause": "第（七）条",
                    }
                ],
            },
            {
                "code": PROJECTS,
                "name": "工程建设项目审批管理系统（模拟）",
                "role": "source",
                "regions": [REGION],
                "keys": [{"jwk": jwk, "use": "project"} for jwk in await _keys(http, projects)],
            },
        ]
        for prefix, name in DEPARTMENTS.items():
            for city in cities:
                code = f"{prefix}-{city}"
                partners.append(
                    {
                        "code": code,
                        "name": f"{name}（模拟 {city}）",
                        "role": "department",
                        "regions": [city],
                        "keys": [{"jwk": jwk, "use": "outcome"} for jwk in await _keys(http, f"{departments}/{code}")],
                        "endpoints": [{"channel": "department", "url": f"{departments}/{code}/review-requests"}],
                    }
                )
    return {"partners": partners}


async def _keys(http: httpx.AsyncClient, base_url: str) -> list[dict[str, Any]]:
    response = await http.get(f"{base_url}/.well-known/jwks.json")
    published: list[dict[str, Any]] = response.raise_for_status().json()["keys"]
    return published


def written(roster: dict[str, Any]) -> str:
    """A roster as a file holds it."""
    return json.dumps(roster, ensure_ascii=False, indent=2) + "\n"


def main() -> None:
    """Read the command line, ask the partners for their keys, write the file."""
    parser = argparse.ArgumentParser(prog="python -m mock_services.demo.roster", description=__doc__)
    parser.add_argument("--utility-url", required=True)
    parser.add_argument("--departments-url", required=True)
    parser.add_argument("--projects-url", required=True)
    parser.add_argument("--region", action="append", required=True, help="of departments, six digits; may be repeated")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    urls = (options.utility_url, options.departments_url, options.projects_url)
    utility, departments, projects = (url.rstrip("/") for url in urls)
    try:
        roster = asyncio.run(roster_of(utility, departments, projects, options.region))
        options.out.write_text(written(roster), "utf-8")
    except (httpx.HTTPError, OSError) as error:
        sys.exit(f"roster: {error}")


if __name__ == "__main__":
    main()
