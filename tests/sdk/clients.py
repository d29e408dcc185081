"""The official clients, pointed at our server: nothing but endpoint, scheme and keys are set."""

import json
import pathlib
import subprocess
import sys
import unittest.mock

from tencentcloud.cam.v20190116 import cam_client
from tencentcloud.cam.v20190116 import models as cam_models
from tencentcloud.common import credential
from tencentcloud.common.exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sts.v20180813 import models as sts_models
from tencentcloud.sts.v20180813 import sts_client

from server import RUN_SECONDS_MAX, clean_environment

# The extra header of every answer to a call that was let through; the SDK ignores it.
REVISION_HEADER = "X-Camgate-Revision"


class Sdk:
    """One caller with one key, over the official SDK. `revision` is that of the last answer."""

    def __init__(self, address, key, token=None, method="POST", unsigned_payload=False):
        self.address, self.key, self.token, self.revision = address, key, token, None
        http = HttpProfile(protocol="http", endpoint=address, reqMethod=method)
        profile = ClientProfile(httpProfile=http)
        profile.unsignedPayload = unsigned_payload
        who = credential.Credential(*key, token)
        self._cam = cam_client.CamClient(who, "", profile)
        self._sts = sts_client.StsClient(who, "", profile)
        for client in (self._cam, self._sts):
            client.request.conn._session.hooks["response"].append(self._note)

    def _note(self, response, *_arguments, **_options):
        self.revision = response.headers.get(REVISION_HEADER)

    def cam(self, action, **fields):
        """Calls an action of CAM by its model classes."""
        return self._call(self._cam, cam_models, action, fields)

    def sts(self, action, **fields):
        """Calls an action of STS by its model classes."""
        return self._call(self._sts, sts_models, action, fields)

    def raw(self, action, fields):
        """Calls an action of CAM with parameters that the models would not take."""
        return self._cam.call_json(action, fields)["Response"]

    @staticmethod
    def _call(client, models, action, fields):
        request = getattr(models, action + "Request")()
        request.from_json_string(json.dumps(fields))
        unknown = set(fields) - {name.lstrip("_") for name in vars(request)}
        assert not unknown, f"{action} has no {unknown}"
        return getattr(client, action)(request)

    def with_token_of(self, credentials):
        """The same server for who holds temporary credentials."""
        key = (credentials.TmpSecretId, credentials.TmpSecretKey)
        return Sdk(self.address, key, credentials.Token)


def code_of(call, *arguments, **fields):
    """The code of the exception that the SDK raises; empty when it raises none."""
    try:
        call(*arguments, **fields)
    except TencentCloudSDKException as error:
        assert error.get_request_id(), f"{error} has no request id"
        return error.get_code()
    return ""


def message_of(call, *arguments, **fields):
    """The message of the exception that the SDK raises."""
    try:
        call(*arguments, **fields)
    except TencentCloudSDKException as error:
        return error.get_message()
    raise AssertionError("nothing was refused")


def clock_shifted(seconds):
    """A block in which the SDK signs with a clock that is off by so much."""
    import time

    shifted = time.time() + seconds
    return unittest.mock.patch("tencentcloud.common.abstract_client.time.time", lambda: shifted)


class Tccli:
    """The official command line with one key."""

    def __init__(self, address, key, home):
        self._endpoint = f"http://{address}"
        key = {"TENCENTCLOUD_SECRET_ID": key[0], "TENCENTCLOUD_SECRET_KEY": key[1]}
        self._environment = {**clean_environment(home), **key}

    def run(self, *arguments):
        """The exit status, and what was printed on both streams."""
        program = pathlib.Path(sys.executable).with_name("tccli")
        common = ["--endpoint", self._endpoint, "--region", "ap-guangzhou", "--output", "json"]
        ran = subprocess.run(
            [program, *arguments, *common],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
        )
        return ran.returncode, ran.stdout, ran.stderr

    def __call__(self, *arguments):
        """The answer of a call that must be fine."""
        status, out, err = self.run(*arguments)
        assert status == 0, f"tccli {arguments}: exit {status}\n{out}{err}"
        return json.loads(out)
