"""Each valid CycloneDX document of the corpora as every format, through the validators of CycloneDX and SPDX."""
import pathlib, subprocess, sys, tempfile

from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

DOCUMENT, CORPORA = sys.argv[1], pathlib.Path(sys.argv[2])
wrong, count = [], 0


def written(path, form):
    made = subprocess.run([DOCUMENT, str(path), form], capture_output=True, text=True)
    if made.returncode:
        wrong.append(f"{path.name} as {form}: {(made.stdout + made.stderr).strip()[:300]}")
        return None
    return made.stdout


def cyclonedx(path, minor, form):
    text = written(path, f"cyclonedx-{form}@1.{minor}")
    if text is None:
        return
    kind = OutputFormat.JSON if form == "json" else OutputFormat.XML
    error = make_schemabased_validator(kind, SchemaVersion.from_version(f"1.{minor}")).validate_str(text)
    if error:
        wrong.append(f"{path.name} as CycloneDX 1.{minor} {form}: {str(error)[:300]}")


def spdx(path, form, suffix):
    text = written(path, form)
    if text is None:
        return
    with tempfile.NamedTemporaryFile("w", suffix=suffix) as file:
        file.write(text)
        file.flush()
        try:
            messages = validate_full_spdx_document(parse_file(file.name))
        except Exception as error:
            messages = getattr(error, "messages", None) or [error]
        for message in messages[:3]:
            text = str(getattr(message, "validation_message", message))
            # spdx-tools takes the 256 bits of a BLAKE3 for 256 digits.
            if "ChecksumAlgorithm.BLAKE3 must consist of at least 256" not in text:
                wrong.append(f"{path.name} as {form}: {text}")


paths = sorted(CORPORA.glob("cyclonedx/*/valid-*.json")) + sorted(CORPORA.glob("cyclonedx/*/valid-*.xml"))
for path in paths:
    for minor in (4, 5, 6, 7):
        for form in ("json", "xml"):
            cyclonedx(path, minor, form)
            count += 1
    spdx(path, "spdx-json", ".spdx.json")
    spdx(path, "spdx-tag-value", ".spdx")
    written(path, "spdx3-json")
    count += 3
print(f"{count} documents, {len(wrong)} refused")
for one in wrong:
    print(one)
sys.exit(bool(wrong))
