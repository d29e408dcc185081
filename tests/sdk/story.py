"""The story of an administrator who changes the endpoint and keeps the scripts.

Official SDK and official command line against one camgate server, over real HTTP. The steps build on
each other and run in their order; the first that fails ends the story.
"""

import json
import tempfile
import unittest
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families

import documents
from clients import Sdk, Tccli, clock_shifted, code_of, message_of
from documents import app
from server import ROOT_KEY, ROOT_UIN, Server

DENIED = "AuthFailure.UnauthorizedOperation"
NO_KEY = "AuthFailure.SecretIdNotFound"
NO_TOKEN = "AuthFailure.TokenFailure"
# More policies and groups than a page holds by default.
MANY = 30


class Story(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        home = tempfile.TemporaryDirectory()
        cls.addClassCleanup(home.cleanup)
        cls.home = home.name
        cls.server = Server(cls.home)
        cls.addClassCleanup(cls.server.close)
        cls.root = Sdk(cls.server.http, ROOT_KEY)

    def check(self, sdk, uin, action, sdkappid):
        """What gRPC answers, at the revision of the caller's last API call or later."""
        question = ["--principal", str(uin), "--action", action, "--resource", app(sdkappid)]
        question += ["--at-least", sdk.revision]
        # An allow is exit status 0, a deny 1.
        answer = self.server.camgate("check", *question, statuses=(0, 1))
        self.assertGreaterEqual(answer["revision"], sdk.revision)
        return answer["outcome"]

    def test_01_who_am_i(self):
        """the root's key says who it is, by STS and by CAM"""
        me = self.root.sts("GetCallerIdentity")
        self.assertEqual((me.AccountId, me.UserId), (str(ROOT_UIN), str(ROOT_UIN)))
        account = self.root.cam("GetUserAppId")
        self.assertEqual((account.OwnerUin, account.AppId), (str(ROOT_UIN), 1250000001))

    def test_02_create_a_user_with_a_key(self):
        """AddUser answers uin, name, password, SecretId and SecretKey; a remark in Chinese stays"""
        made = self.root.cam(
            "AddUser",
            Name="alice",
            Remark="客服主管 “一组”",
            UseApi=1,
            ConsoleLogin=1,
            NeedResetPassword=1,
            PhoneNum="13800000000",
            CountryCode="86",
            Email="alice@example.com",
        )
        self.assertEqual(made.Name, "alice")
        self.assertTrue(made.Password and made.SecretId.startswith("AKID") and made.SecretKey)
        type(self).alice_uin, type(self).alice_uid = made.Uin, made.Uid
        type(self).alice_key = (made.SecretId, made.SecretKey)
        type(self).alice = Sdk(self.server.http, self.alice_key)
        user = self.root.cam("GetUser", Name="alice")
        self.assertEqual((user.Uin, user.Remark), (made.Uin, "客服主管 “一组”"))
        self.assertEqual((user.ConsoleLogin, user.Email), (1, "alice@example.com"))
        again = code_of(self.root.cam, "AddUser", Name="alice")
        self.assertEqual(again, "InvalidParameter.SubUserNameInUse")

    def test_03_create_a_group(self):
        """a group, with its member"""
        type(self).group = self.root.cam("CreateGroup", GroupName="客服", Remark="一线").GroupId
        member = {"GroupId": self.group, "Uid": self.alice_uid}
        self.root.cam("AddUserToGroup", Info=[member])
        users = self.root.cam("ListUsersForGroup", GroupId=self.group)
        self.assertEqual([user.Uin for user in users.UserInfo], [self.alice_uin])
        groups = self.root.cam("ListGroupsForUser", SubUin=self.alice_uin)
        self.assertEqual([group.GroupName for group in groups.GroupInfo], ["客服"])

    def test_04_create_the_policy_of_the_manual(self):
        """a policy by its document, read back as it was written"""
        made = self.root.cam(
            "CreatePolicy",
            PolicyName="im-support",
            PolicyDocument=documents.MANUAL,
            Description="两个应用",
            Tags=[{"Key": "team", "Value": "客服"}],
        )
        type(self).policy = made.PolicyId
        read = self.root.cam("GetPolicy", PolicyId=self.policy)
        self.assertEqual(json.loads(read.PolicyDocument), json.loads(documents.MANUAL))
        self.assertEqual((read.PolicyName, read.Description), ("im-support", "两个应用"))
        bad = documents.MANUAL.replace('"deny"', '"Deny"')
        code = code_of(self.root.cam, "CreatePolicy", PolicyName="bad", PolicyDocument=bad)
        self.assertEqual(code, "InvalidParameter.EffectError")

    def test_05_attach_to_the_user(self):
        """Check over gRPC changes its answer with the revision of the API call"""
        self.root.cam("GetPolicy", PolicyId=self.policy)
        question = (self.alice_uin, "im:DescribeConfInfo", 1400000001)
        self.assertEqual(self.check(self.root, *question), "DENY")
        before = self.root.revision
        self.root.cam("AttachUserPolicy", PolicyId=self.policy, AttachUin=self.alice_uin)
        self.assertGreater(self.root.revision, before)
        self.assertEqual(self.check(self.root, *question), "ALLOW")
        removal = (self.alice_uin, "im:RemoveUser", 1400000001)
        self.assertEqual(self.check(self.root, *removal), "DENY")
        listed = self.root.cam("ListAttachedUserPolicies", TargetUin=self.alice_uin)
        self.assertEqual([it.PolicyName for it in listed.List], ["im-support"])

    def test_06_attach_through_the_group(self):
        """the same policy also through the group; both ways are told apart"""
        self.root.cam("AttachGroupPolicy", PolicyId=self.policy, AttachGroupId=self.group)
        for attach_type, groups in ((1, []), (2, ["客服"])):
            listed = self.root.cam(
                "ListAttachedUserAllPolicies",
                TargetUin=self.alice_uin,
                Page=1,
                Rp=20,
                AttachType=attach_type,
            )
            self.assertEqual(listed.TotalNum, 1)
            found = listed.PolicyList[0]
            self.assertEqual(found.PolicyId, str(self.policy), "text, as the official samples")
            self.assertEqual([it.GroupName for it in found.Groups or []], groups)
        entities = self.root.cam("ListEntitiesForPolicy", PolicyId=self.policy, EntityFilter="All")
        kinds = sorted(it.RelatedType for it in entities.List)
        self.assertEqual((entities.TotalNum, kinds), (2, [1, 2]))
        # One way is enough.
        self.root.cam("DetachUserPolicy", PolicyId=self.policy, DetachUin=self.alice_uin)
        question = (self.alice_uin, "im:DescribeConfInfo", 1400000001)
        self.assertEqual(self.check(self.root, *question), "ALLOW")

    def test_07_page_through_everything(self):
        """every list, page by page, holds everything once"""
        for number in range(MANY):
            document = documents.CAM_READ_ONLY
            self.root.cam("CreatePolicy", PolicyName=f"page-{number:02}", PolicyDocument=document)
            self.root.cam("CreateGroup", GroupName=f"page-{number:02}")
        for action, field, wanted, more in (
            ("ListPolicies", "List", MANY + 1, {"Scope": "Local"}),
            ("ListGroups", "GroupInfo", MANY + 1, {}),
        ):
            names, page = [], 1
            while True:
                answer = self.root.cam(action, Page=page, Rp=7, **more)
                self.assertEqual(answer.TotalNum, wanted)
                found = getattr(answer, field)
                if not found:
                    break
                self.assertLessEqual(len(found), 7)
                names += [getattr(it, "PolicyName", None) or it.GroupName for it in found]
                page += 1
            self.assertEqual((len(names), len(set(names))), (wanted, wanted), action)
        presets = self.root.cam("ListPolicies", Scope="QCS", Rp=200, Page=1)
        self.assertIn("QcloudIMFullAccess", [it.PolicyName for it in presets.List])
        self.assertEqual([it.Name for it in self.root.cam("ListUsers").Data], ["alice"])
        for number in range(4):
            self.root.cam("AddUser", Name=f"page-{number}")
        names, marker = [], {}
        while True:
            answer = self.root.cam("ListAccounts", MaxItems=2, **marker)
            names += [it.Name for it in answer.Users]
            if not answer.IsTruncated:
                break
            marker = {"Marker": answer.Marker}
        self.assertEqual(sorted(names), ["alice"] + [f"page-{number}" for number in range(4)])
        for number in range(4):
            self.root.cam("DeleteUser", Name=f"page-{number}")
        found = self.root.cam("ListPolicies", Scope="Local", Keyword="page-2", Rp=200, Page=1)
        self.assertEqual(found.TotalNum, 10)
        ids = [it.PolicyId for it in found.List]
        self.root.cam("DeletePolicy", PolicyId=ids)
        answer = self.root.cam("ListPolicies", Scope="Local", Rp=1, Page=1)
        self.assertEqual(answer.TotalNum, MANY + 1 - 10)

    def test_08_edit_in_place(self):
        """UpdatePolicy overwrites the default version"""
        self.root.cam(
            "UpdatePolicy",
            PolicyId=self.policy,
            PolicyDocument=documents.MANUAL_NARROWED,
            Description="只看第二个",
        )
        question = (self.alice_uin, "im:DescribeConfInfo", 1400000001)
        self.assertEqual(self.check(self.root, *question), "DENY")
        self.assertEqual(self.root.cam("GetPolicy", PolicyId=self.policy).Description, "只看第二个")
        versions = self.root.cam("ListPolicyVersions", PolicyId=self.policy).Versions
        self.assertEqual([(it.VersionId, it.IsDefaultVersion) for it in versions], [(1, 1)])

    def test_09_a_new_version_and_back(self):
        """a new version counts at once; rolling back is a call; the default cannot be deleted"""
        second = self.root.cam(
            "CreatePolicyVersion",
            PolicyId=self.policy,
            PolicyDocument=documents.MANUAL,
            SetAsDefault=True,
        ).VersionId
        question = (self.alice_uin, "im:DescribeConfInfo", 1400000001)
        self.assertEqual(self.check(self.root, *question), "ALLOW")
        read = self.root.cam("GetPolicyVersion", PolicyId=self.policy, VersionId=1).PolicyVersion
        self.assertEqual(json.loads(read.Document), json.loads(documents.MANUAL_NARROWED))
        self.root.cam("SetDefaultPolicyVersion", PolicyId=self.policy, VersionId=1)
        self.assertEqual(self.check(self.root, *question), "DENY")
        code = code_of(
            self.root.cam, "DeletePolicyVersion", PolicyId=self.policy, VersionId=[1]
        )
        self.assertEqual(code, "FailedOperation.PolicyVersionAlreadyDefault")
        self.root.cam("SetDefaultPolicyVersion", PolicyId=self.policy, VersionId=second)
        self.root.cam("DeletePolicyVersion", PolicyId=self.policy, VersionId=[1])
        self.assertEqual(self.check(self.root, *question), "ALLOW")

    def test_10_the_user_is_refused_before_a_grant(self):
        """the new user's own key is known, and may do nothing"""
        for call in (("ListUsers", {}), ("GetPolicy", {"PolicyId": self.policy})):
            self.assertEqual(code_of(self.alice.cam, call[0], **call[1]), DENIED, call)
        message = message_of(self.alice.cam, "ListUsers")
        self.assertIn("you are not authorized to perform operation (cam:ListUsers)", message)
        self.assertIn("has no permission", message)

    def test_11_the_user_reads_after_a_grant(self):
        """rights to read CAM: exactly those calls succeed"""
        made = self.root.cam(
            "CreatePolicy", PolicyName="cam-read-only", PolicyDocument=documents.CAM_READ_ONLY
        )
        type(self).read_only = made.PolicyId
        self.root.cam("AttachUserPolicy", PolicyId=made.PolicyId, AttachUin=self.alice_uin)
        reads = (
            ("ListUsers", {}),
            ("GetUser", {"Name": "alice"}),
            ("GetPolicy", {"PolicyId": self.policy}),
            ("ListPolicies", {}),
            ("ListGroups", {}),
            ("GetGroup", {"GroupId": self.group}),
            ("ListAttachedUserPolicies", {"TargetUin": self.alice_uin}),
            ("DescribeRoleList", {"Page": 1, "Rp": 10}),
            ("GetAccountSummary", {}),
            ("ListAccessKeys", {"TargetUin": self.alice_uin}),
        )
        for action, fields in reads:
            self.assertEqual(code_of(self.alice.cam, action, **fields), "", action)
        writes = (
            ("AddUser", {"Name": "mallory"}),
            ("CreateGroup", {"GroupName": "mallory"}),
            ("AttachUserPolicy", {"PolicyId": 1, "AttachUin": self.alice_uin}),
            ("DeletePolicy", {"PolicyId": [self.policy]}),
            ("UpdateUser", {"Name": "alice", "Remark": "x"}),
            ("CreateAccessKey", {"TargetUin": self.alice_uin}),
            ("DeleteUser", {"Name": "alice"}),
        )
        for action, fields in writes:
            self.assertEqual(code_of(self.alice.cam, action, **fields), DENIED, action)
        self.assertEqual(code_of(self.alice.sts, "GetCallerIdentity"), DENIED)

    def test_12_signed_in_other_ways(self):
        """GET, and a payload that is not signed; a list and Chinese in a query"""
        get = Sdk(self.server.http, ROOT_KEY, method="GET")
        self.assertEqual(get.cam("GetUser", Name="alice").Uin, self.alice_uin)
        get.cam("UpdateUser", Name="alice", Remark="夜班 & 周末 ~ 100% +1")
        self.assertEqual(get.cam("GetUser", Name="alice").Remark, "夜班 & 周末 ~ 100% +1")
        accounts = get.cam("DescribeSubAccounts", FilterSubAccountUin=[self.alice_uin])
        self.assertEqual([it.Name for it in accounts.SubAccounts], ["alice"])
        policy = get.cam("CreatePolicy", PolicyName="by-get", PolicyDocument=documents.MANUAL)
        read = get.cam("GetPolicy", PolicyId=policy.PolicyId)
        self.assertEqual(json.loads(read.PolicyDocument), json.loads(documents.MANUAL))
        get.cam("DeletePolicy", PolicyId=[policy.PolicyId])
        unsigned = Sdk(self.server.http, ROOT_KEY, unsigned_payload=True)
        self.assertEqual(unsigned.cam("GetUser", Name="alice").Uin, self.alice_uin)

    def test_13_misuse(self):
        """bad signatures, clocks and keys give the official codes"""
        address, (key_id, secret) = self.server.http, ROOT_KEY
        wrong = Sdk(address, (key_id, secret + "x"))
        self.assertEqual(code_of(wrong.cam, "ListUsers"), "AuthFailure.SignatureFailure")
        unknown = Sdk(address, ("AKIDnobody00000000000000000000000000", secret))
        self.assertEqual(code_of(unknown.cam, "ListUsers"), NO_KEY)
        for seconds in (-400, 400):
            with clock_shifted(seconds):
                code = code_of(self.root.cam, "ListUsers")
            self.assertEqual(code, "AuthFailure.SignatureExpire", seconds)
        for seconds in (-200, 200):
            with clock_shifted(seconds):
                self.assertEqual(code_of(self.root.cam, "ListUsers"), "", seconds)
        forged = Sdk(address, ROOT_KEY, token="not-a-token")
        self.assertEqual(code_of(forged.cam, "ListUsers"), NO_TOKEN)

    def test_14_misshapen_calls(self):
        """unknown actions and parameters, missing ones, and what we do not offer"""
        raw = self.root.raw
        self.assertEqual(code_of(raw, "NoSuchAction", {}), "InvalidAction")
        self.assertEqual(code_of(raw, "ListUsers", {"Colour": 1}), "UnknownParameter")
        self.assertEqual(code_of(raw, "GetUser", {}), "MissingParameter")
        code = code_of(raw, "GetPolicy", {"PolicyId": {"a": 1}})
        self.assertTrue(code.startswith("InvalidParameter"), code)
        self.assertEqual(code_of(raw, "ListReceiver", {}), "UnsupportedOperation")
        # Integers as text, as the official samples send them.
        read = raw("GetPolicy", {"PolicyId": str(self.policy)})
        self.assertEqual(read["PolicyName"], "im-support")

    def test_15_a_key_is_disabled_enabled_and_deleted(self):
        """a disabled key and a deleted one are refused, the other key of the user is not"""
        made = self.root.cam("CreateAccessKey", TargetUin=self.alice_uin, Description="轮换")
        key = made.AccessKey
        second = Sdk(self.server.http, (key.AccessKeyId, key.SecretAccessKey))
        self.assertEqual(code_of(second.cam, "ListUsers"), "")
        code = code_of(self.root.cam, "CreateAccessKey", TargetUin=self.alice_uin)
        self.assertEqual(code, "OperationDenied.AccessKeyOverLimit")
        which = {"AccessKeyId": key.AccessKeyId, "TargetUin": self.alice_uin}
        for status, expected in (("Inactive", NO_KEY), ("Active", ""), ("Inactive", NO_KEY)):
            self.root.cam("UpdateAccessKey", Status=status, **which)
            self.assertEqual(code_of(second.cam, "ListUsers"), expected, status)
        listed = self.root.cam("ListAccessKeys", TargetUin=self.alice_uin).AccessKeys
        states = {it.AccessKeyId: it.Status for it in listed}
        self.assertEqual(states, {self.alice_key[0]: "Active", key.AccessKeyId: "Inactive"})
        self.root.cam("DeleteAccessKey", **which)
        self.assertEqual(code_of(second.cam, "ListUsers"), NO_KEY)
        self.assertEqual(code_of(self.alice.cam, "ListUsers"), "")
        code = code_of(self.root.cam, "DeleteAccessKey", **which)
        self.assertEqual(code, "ResourceNotFound.SecretNotExist")
        used = self.root.cam("GetSecurityLastUsed", SecretIdList=[self.alice_key[0]])
        self.assertEqual(used.SecretIdLastUsedRows[0].SecretId, self.alice_key[0])

    def test_16_assume_a_role(self):
        """a role is assumed when both sides agree, and its credentials act as the role"""
        trusted = documents.trust(f"qcs::cam::uin/{ROOT_UIN}:uin/{self.alice_uin}")
        made = self.root.cam(
            "CreateRole", RoleName="auditor", PolicyDocument=trusted, Description="审计"
        )
        role = f"qcs::cam::uin/{ROOT_UIN}:roleName/auditor"
        may_assume = documents.document(documents.allow("name/sts:AssumeRole", resource=role))
        policy = self.root.cam(
            "CreatePolicy", PolicyName="may-assume-auditor", PolicyDocument=may_assume
        )
        session = {"RoleArn": role, "RoleSessionName": "night-shift", "DurationSeconds": 900}
        self.assertEqual(code_of(self.alice.sts, "AssumeRole", **session), DENIED)
        self.root.cam("AttachUserPolicy", PolicyId=policy.PolicyId, AttachUin=self.alice_uin)
        groups = documents.document(documents.allow("name/cam:*Group*", "name/sts:Get*"))
        rights = self.root.cam("CreatePolicy", PolicyName="groups", PolicyDocument=groups)
        self.root.cam("AttachRolePolicy", PolicyId=rights.PolicyId, AttachRoleName="auditor")
        assumed = self.alice.sts("AssumeRole", **session)
        self.assertGreater(assumed.ExpiredTime, 1_700_000_000)
        auditor = self.alice.with_token_of(assumed.Credentials)
        me = auditor.sts("GetCallerIdentity")
        self.assertEqual((me.AccountId, me.Type), (str(ROOT_UIN), "CAMRole"))
        self.assertIn(made.RoleId, me.UserId)
        # The role's rights, not the user's.
        self.assertEqual(code_of(auditor.cam, "ListUsers"), DENIED)
        temporary = auditor.cam("CreateGroup", GroupName="by-the-role", Remark="临时").GroupId
        auditor.cam("DeleteGroup", GroupId=temporary)
        capped = self.alice.sts(
            "AssumeRole", Policy=documents.document(documents.allow("name/cam:ListGroups")), **session
        )
        capped = self.alice.with_token_of(capped.Credentials)
        self.assertEqual(code_of(capped.cam, "ListGroups"), "")
        self.assertEqual(code_of(capped.cam, "CreateGroup", GroupName="capped"), DENIED)
        type(self).auditor = auditor

    def test_17_other_temporary_credentials(self):
        """GetFederationToken and GetSessionToken act as their user, within what they were given"""
        policy = documents.document(documents.allow("name/cam:ListUsers"))
        token = self.root.sts("GetFederationToken", Name="dashboard", Policy=policy)
        dashboard = self.root.with_token_of(token.Credentials)
        self.assertEqual(code_of(dashboard.cam, "ListUsers"), "")
        self.assertEqual(code_of(dashboard.cam, "ListGroups"), DENIED)
        broken = Sdk(self.server.http, dashboard.key, dashboard.token[:-4] + "AAAA")
        self.assertEqual(code_of(broken.cam, "ListUsers"), NO_TOKEN)

    def test_18_credentials_end_with_their_role(self):
        """temporary credentials end at once when their role is deleted"""
        self.assertEqual(code_of(self.auditor.cam, "ListGroups"), "")
        self.root.cam("DeleteRole", RoleName="auditor")
        self.assertEqual(code_of(self.auditor.cam, "ListGroups"), NO_TOKEN)

    def test_19_a_boundary_caps(self):
        """a boundary takes rights away and gives none"""
        groups = documents.document(documents.allow("name/cam:ListGroups", "name/cam:AddUser"))
        cap = self.root.cam("CreatePolicy", PolicyName="cap", PolicyDocument=groups).PolicyId
        self.root.cam("PutUserPermissionsBoundary", TargetUin=self.alice_uin, PolicyId=cap)
        read = self.root.cam("GetUserPermissionBoundary", TargetUin=self.alice_uin)
        self.assertEqual(read.PolicyName, "cap")
        self.assertEqual(code_of(self.alice.cam, "ListGroups"), "")
        self.assertEqual(code_of(self.alice.cam, "ListUsers"), DENIED)
        self.assertEqual(code_of(self.alice.cam, "AddUser", Name="mallory"), DENIED)
        self.root.cam("DeleteUserPermissionsBoundary", TargetUin=self.alice_uin)
        self.assertEqual(code_of(self.alice.cam, "ListUsers"), "")

    def test_20_tccli(self):
        """the official command line does the same with --endpoint alone"""
        tccli = Tccli(self.server.http, ROOT_KEY, self.home)
        made = tccli("cam", "AddUser", "--Name", "bob", "--Remark", "运营 二组", "--UseApi", "1")
        users = tccli("cam", "ListUsers")["Data"]
        self.assertEqual([it["Name"] for it in users], ["alice", "bob"])
        policy = tccli(
            "cam", "CreatePolicy", "--PolicyName", "by-tccli", "--PolicyDocument", documents.MANUAL
        )["PolicyId"]
        tccli("cam", "AttachUserPolicy", "--PolicyId", str(policy), "--AttachUin", str(made["Uin"]))
        read = tccli("cam", "GetPolicy", "--PolicyId", str(policy))
        self.assertEqual(json.loads(read["PolicyDocument"]), json.loads(documents.MANUAL))
        me = tccli("sts", "GetCallerIdentity")
        self.assertEqual(me["AccountId"], str(ROOT_UIN))
        bob = Tccli(self.server.http, (made["SecretId"], made["SecretKey"]), self.home)
        status, _out, err = bob.run("cam", "ListUsers")
        self.assertEqual(status, 255)
        self.assertIn(f"code:{DENIED}", err)
        tccli("cam", "DeleteUser", "--Name", "bob", "--Force", "1")
        status, _out, err = bob.run("cam", "ListUsers")
        self.assertEqual((status, NO_KEY in err), (255, True), err)
        tccli("cam", "DeletePolicy", "--PolicyId", f"[{policy}]")

    def test_21_the_change_log_tells_it(self):
        """every change is in the change log, by whom and how, and the chain holds"""
        changes = self.server.camgate("account", "changes")["changes"]
        self.assertTrue(all(it["is_verified"] for it in changes))
        calls = [it["call"] for it in changes if it["protocol"] == "cam_api"]
        self.assertEqual(calls[:3], ["AddUser", "CreateGroup", "AddUserToGroup"])
        self.assertNotIn("ListUsers", calls)
        role = next(it for it in changes if it["actor"]["session"])
        self.assertEqual((role["actor"]["session"], role["call"]), ("night-shift", "CreateGroup"))
        tagged = next(it for it in changes if it["call"] == "AttachUserPolicy")
        self.assertEqual(tagged["actor"]["secret_id"], ROOT_KEY[0])
        self.assertEqual((tagged["source"], tagged["actor"]["uin"]), ("127.0.0.1", ROOT_UIN))

    def test_22_detach_and_delete(self):
        """everything is taken back, and nothing is left"""
        self.root.cam("DetachGroupPolicy", PolicyId=self.policy, DetachGroupId=self.group)
        question = (self.alice_uin, "im:DescribeConfInfo", 1400000001)
        self.assertEqual(self.check(self.root, *question), "DENY")
        member = {"GroupId": self.group, "Uin": self.alice_uin}
        self.root.cam("RemoveUserFromGroup", Info=[member])
        self.root.cam("DeleteGroup", GroupId=self.group)
        self.root.cam("DetachUserPolicy", PolicyId=self.read_only, DetachUin=self.alice_uin)
        self.assertEqual(code_of(self.alice.cam, "ListUsers"), DENIED)
        code = code_of(self.root.cam, "DeleteUser", Name="alice")
        self.assertEqual(code, "OperationDenied.HaveKeys")
        self.root.cam("DeleteUser", Name="alice", Force=1)
        self.assertEqual(code_of(self.alice.cam, "ListUsers"), NO_KEY)
        code = code_of(self.root.cam, "GetUser", Name="alice")
        self.assertEqual(code, "ResourceNotFound.UserNotExist")
        while True:
            left = self.root.cam("ListPolicies", Scope="Local", Page=1, Rp=20).List
            if not left:
                break
            self.root.cam("DeletePolicy", PolicyId=[it.PolicyId for it in left])
        summary = self.root.cam("GetAccountSummary")
        self.assertEqual((summary.User, summary.Roles, summary.Policies), (0, 0, 0))

    def test_23_the_metrics_are_openmetrics(self):
        """Prometheus's own strict parser reads all of them, and finds the calls of this story"""
        with urllib.request.urlopen(f"http://{self.server.http}/metrics") as answer:
            kind, text = answer.headers["Content-Type"], answer.read().decode()
        self.assertTrue(kind.startswith("application/openmetrics-text; version=1.0.0"), kind)
        families = {it.name: it for it in text_string_to_metric_families(text)}
        calls = families["camgate_calls"]
        self.assertEqual(calls.type, "counter")
        made = [it.value for it in calls.samples if it.labels["method"] == "AddUser"]
        self.assertGreaterEqual(sum(made), 1)
        self.assertEqual(families["camgate_call_duration_seconds"].unit, "seconds")


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
