"""The policy documents of the story."""

import json

from server import ROOT_UIN


def app(sdkappid):
    return f"qcs::im::uin/{ROOT_UIN}:sdkappid/{sdkappid}"


def document(*statements):
    return json.dumps({"version": "2.0", "statement": list(statements)}, ensure_ascii=False)


def allow(*actions, resource="*"):
    return {"effect": "allow", "action": list(actions), "resource": resource}


def trust(*principals):
    who = {"qcs": list(principals)}
    statement = {"effect": "allow", "action": "name/sts:AssumeRole", "principal": who}
    return document(statement)


# The policy of the manual: everything on two apps, but no removal of users on the first.
MANUAL = document(
    allow("name/im:*", resource=[app(1400000001), app(1400000002)]),
    {"effect": "deny", "action": "name/im:RemoveUser", "resource": app(1400000001)},
)
MANUAL_NARROWED = document(allow("name/im:Describe*", resource=app(1400000002)))
# What QcloudCamReadOnlyAccess means: to look at everything of CAM.
CAM_READ_ONLY = document(allow("name/cam:Get*", "name/cam:List*", "name/cam:Describe*"))
