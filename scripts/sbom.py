#!/usr/bin/env python3
"""The bill of materials of a Debian package: SPDX 2.3 as JSON. What it needs is named with the version it was built against."""
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
from datetime import datetime, timezone


def field(deb, name):
    return subprocess.run(["dpkg-deb", "-f", deb, name], check=True, capture_output=True, text=True).stdout.strip()


def version_here(package, architecture):
    """Of the library's package: of this machine, or of the sysroot that a cross build uses."""
    for name in (f"{package}:{architecture}", package):
        done = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status} ${Version}", name], capture_output=True, text=True)
        status, _, version = done.stdout.partition(" ")
        if done.returncode == 0 and status == "installed":
            return version
    return None


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: scripts/sbom.py PACKAGE.deb")
    deb = pathlib.Path(sys.argv[1])
    name, version, architecture = (field(deb, f) for f in ("Package", "Version", "Architecture"))
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()
    made = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    packages = [{
        "SPDXID": "SPDXRef-package", "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
        "licenseConcluded": "Apache-2.0", "licenseDeclared": "Apache-2.0", "copyrightText": "NOASSERTION",
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest}],
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": f"pkg:deb/{name}@{version}?arch={architecture}"}],
    }]
    relations = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-package"}]
    for need in sorted(set(re.split(r"\s*,\s*", field(deb, "Depends")))):
        library = need.split()[0]
        found = version_here(library, architecture)
        ref = "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", library)
        packages.append({
            "SPDXID": ref, "name": library, "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION", "comment": need, **({"versionInfo": found} if found else {}),
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": f"pkg:deb/debian/{library}{'@' + found if found else ''}?arch={architecture}"}],
        })
        relations.append({"spdxElementId": "SPDXRef-package", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": ref})
    print(json.dumps({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"{name}-{version}-{architecture}",
        "documentNamespace": f"https://cloud-locker.example/spdx/{name}-{version}-{architecture}-{digest[:16]}",
        "creationInfo": {"created": made, "creators": ["Tool: scripts/sbom.py"]}, "packages": packages, "relationships": relations,
    }, indent=1))


main()
