"""``python -m mock_services.demo.apply PERSONA``: a persona of the mock province applies; the last line is the id.

It is the application's, or that of the review task for which it waits.

The gateway's address is ``--gateway`` or the variable ``GATEWAY`` of ``build/demo/env.sh``. Where the verification
fails or a document cannot be relied on it says what the applicant is to do next, and exits 1.
"""

import argparse
import asyncio
import os
import sys
from typing import Any

import httpx

from mock_services.demo.applicant import Applicant, Refused
from mock_services.personas import ENTERPRISES, RESIDENTS, EnterprisePersona, ResidentPersona

Persona = ResidentPersona | EnterprisePersona

_EVERYBODY: tuple[Persona, ...] = (*RESIDENTS, *ENTERPRISES)
PERSONAS = {persona.slug: persona for persona in _EVERYBODY}


def demand_of(persona: Persona, purpose: str) -> dict[str, Any]:
    """What the persona asks for, as the gateway's intakes read it."""
    return {
        "region": persona.region,
        "voltage_v": persona.demand.voltage_v,
        "capacity_kw": persona.demand.capacity_kw,
        "source_count": persona.demand.sources,
        "area": "urban" if persona.demand.urban else "rural",
        "purpose": purpose,
    }


async def apply(gateway: str, slug: str, method: str | None, purpose: str) -> bool:
    """Verify, look at what was found, confirm. Prints each; answers whether there is an application."""
    persona = PERSONAS[slug]
    enterprise = isinstance(persona, EnterprisePersona)
    async with httpx.AsyncClient(timeout=30) as http:
        applicant = Applicant(http, gateway, slug)
        session = await applicant.verify(
            "enterprise" if enterprise else "resident", method or ("e_licence" if enterprise else "face")
        )
        if session["status"] != "verified":
            print(f"核验未通过：{session['remedy']}（可改用 {'、'.join(session['alternatives'])}）")
            return False
        intake = "one-certificate" if enterprise else "face-verified"
        preview = await applicant.begin(intake, demand_of(persona, purpose))
        choices = {}
        for document in preview["documents"]:
            print(f"{document['title']}：{document['state']} {document['next_step'] or ''}".rstrip())
            valid = [each for each in document["certificates"] if each["verdict"] == "valid"]
            if document["state"] == "choose" and valid:
                choices[document["document"]] = valid[0]["choice"]
        for finding in preview["consistency"]:
            if finding["outcome"] in ("contradiction", "unsure"):
                print(f"{finding['says']}：{finding['next_step']}")
        accepted = await applicant.confirm(preview["intake_id"], choices=choices)
    if accepted.get("status") == "under_review":
        print("已确认，转人工核查", accepted["review_task_id"], sep="\n")
        return True
    print(f"已授权 {accepted['utility']}", accepted["application_id"], sep="\n")
    return True


def main() -> None:
    """Read the command line and apply."""
    parser = argparse.ArgumentParser(prog="python -m mock_services.demo.apply", description=__doc__)
    parser.add_argument("persona", choices=sorted(PERSONAS))
    parser.add_argument("--gateway", default=os.environ.get("GATEWAY"), help="its address; $GATEWAY if left out")
    parser.add_argument("--method", help="face, sms_otp, counter or e_licence")
    parser.add_argument("--purpose", default="演示人工", help="演示人工 keeps the mock utility from acting by itself")
    options = parser.parse_args()
    if not options.gateway:
        parser.error("say where the gateway is: --gateway, or . build/demo/env.sh")
    try:
        done = asyncio.run(apply(options.gateway, options.persona, options.method, options.purpose))
    except (Refused, httpx.HTTPError) as error:
        print(error, file=sys.stderr)
        done = False
    sys.exit(0 if done else 1)


if __name__ == "__main__":
    main()
