"""Write docs/reference/policy.schema.json: the JSON Schema of a policy file, from the document's own classes."""

import json
import sys

from generated import ROOT, write_or_check

from trimtab.policy import policy_json_schema

PAGE = ROOT / "docs/reference/policy.schema.json"

if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, json.dumps(policy_json_schema(), indent=2) + "\n"))
