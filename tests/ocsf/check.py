"""Reads OCSF events, a line each, and checks them against the schema of their class and version."""

import json
import sys

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

failed = 0
outcomes = []
for number, line in enumerate(sys.stdin, 1):
    event = json.loads(line)
    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(event["metadata"]["version"]))
    schema = schemas.get_class_schema("user_access")
    errors = list(Draft202012Validator(schema).iter_errors(event))
    for error in errors:
        print(f"event {number}: {'/'.join(map(str, error.path))}: {error.message[:300]}")
    failed += bool(errors)
    outcomes.append(event["status_code"])

print(", ".join(outcomes))
kinds = {"confirmed", "refused"}
if not kinds <= set(outcomes):
    print(f"there should be events of {kinds}")
    failed += 1
print(f"{len(outcomes) - failed} passed, {failed} failed")
sys.exit(bool(failed))
