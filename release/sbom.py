"""The software bill of materials (CycloneDX 1.6) of the packages that run on Lambda.

Reproducible: it has no timestamp, and its serial number derives from its content.
"""

import json
import uuid
from collections.abc import Iterable

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from release.dependencies import Dependency
from sms_otp import __version__


def document(dependencies: Iterable[Dependency]) -> str:
    """The SBOM as JSON with sorted keys."""
    licences = LicenseFactory()
    ours = Component(
        name="sms-otp",
        version=__version__,
        type=ComponentType.APPLICATION,
        bom_ref="sms-otp",
        licenses=[licences.make_from_string("MIT")],
    )
    bom = Bom()
    bom.metadata.component = ours
    listed = list(dependencies)
    made = {one.name: _component(one, licences) for one in listed}
    for component in made.values():
        bom.components.add(component)
    bom.register_dependency(ours, made.values())
    for one in listed:
        bom.register_dependency(made[one.name], [made[name] for name in one.requires])
    content = json.loads(JsonV1Dot6(bom).output_as_string())
    del content["metadata"]["timestamp"], content["serialNumber"]
    digest = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(content, sort_keys=True))
    return json.dumps(content | {"serialNumber": f"urn:uuid:{digest}"}, indent=2, sort_keys=True) + "\n"


def _component(one: Dependency, licences: LicenseFactory) -> Component:
    return Component(
        name=one.name,
        version=one.version,
        type=ComponentType.LIBRARY,
        purl=PackageURL("pypi", name=one.name, version=one.version),
        bom_ref=f"{one.name}@{one.version}",
        licenses=[licences.make_from_string(one.licence)] if one.licence else [],
    )
