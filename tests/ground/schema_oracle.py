"""What an independent validator (python3-jsonschema) says about specs. Usage: schema_oracle.py SCHEMA SPEC...

One line per spec: "NAME accepted", "NAME refused" or "NAME unreadable". An accepted one is also tried with each of its
keys misspelt in its turn; one that is accepted then is printed as "NAME accepted_without:KEY". Free are the keys of maps
and, where the spec extends another, which may state it, "type".
"""
import json
import pathlib
import sys

import jsonschema

FREE = {"factors"}  # maps from names of the author's choice


def misspelt_and_accepted(part, spec, validator):
    """Yields the keys below `part` that may be misspelt."""
    for key in list(part) if isinstance(part, dict) else range(len(part)):
        if isinstance(part, dict) and not (key == "type" and "extends" in spec):
            part[key + "q"] = part.pop(key)
            if validator.is_valid(spec):
                yield key
            part[key] = part.pop(key + "q")
        if isinstance(part[key], (dict, list)) and key not in FREE:
            yield from misspelt_and_accepted(part[key], spec, validator)


schema = json.loads(pathlib.Path(sys.argv[1]).read_text())
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
for name in sys.argv[2:]:
    path = pathlib.Path(name)
    try:
        spec = json.loads(path.read_text())
    except ValueError:
        print(path.stem, "unreadable")
        continue
    accepted = validator.is_valid(spec)
    print(path.stem, "accepted" if accepted else "refused")
    for key in misspelt_and_accepted(spec, spec, validator) if accepted else []:
        print(path.stem, f"accepted_without:{key}")
