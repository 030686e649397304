"""Records of a cloud's audit trail: who called what, with request and answer."""

import random

from tests.bench.wide_tree import ENVIRONMENT, TIME, Tree, envelope


def audit(rnd: random.Random) -> Tree:
    service, name, request, response = rnd.choice(_CALLS)(rnd)
    failed = rnd.random() < 0.2
    data = {
        "eventVersion": "1.10",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "‹user.principal›:‹user.session›",
            "arn": "arn:aws:sts::‹user.account›:assumed-role/‹user.role›/‹user.session›",
            "accountId": "‹user.account›",
            "accessKeyId": "ASIA‹key›",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "‹user.principal›",
                    "arn": "arn:aws:iam::‹user.account›:role/‹user.role›",
                    "accountId": "‹user.account›",
                    "userName": "‹user.role›",
                },
                "webIdFederationData": {},
                "attributes": {"creationDate": TIME, "mfaAuthenticated": rnd.choice(("true", "false"))},
                "ec2RoleDelivery": "2.0",
            },
            "invokedBy": "«maybe»",
        },
        "eventTime": "‹hour›‹minute›Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "‹user.region›",
        "sourceIPAddress": "‹ip›",
        "userAgent": "‹agent›",
        **({"errorCode": "AccessDenied", "errorMessage": "‹message›"} if failed else {}),
        "requestParameters": request,
        "responseElements": None if failed else response,
        "additionalEventData": {
            "SignatureVersion": "SigV4",
            "CipherSuite": "TLS_AES_128_GCM_SHA256",
            "bytesTransferredIn": "«number»",
            "bytesTransferredOut": "«number»",
            "x-amz-id-2": "‹token›‹token›",
        },
        "requestID": "‹uuid›",
        "eventID": "‹uuid›",
        "readOnly": "«bool»",
        "resources": [
            {"accountId": "‹user.account›", "type": "AWS::‹word›", "ARN": "arn:aws:x:::‹user.bucket›/‹word›"}
            for _ in range(rnd.randrange(1, 5))
        ],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "‹user.account›",
        "eventCategory": "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": f"{service}.‹user.region›.amazonaws.com",
        },
        "sessionCredentialFromConsole": "«maybe»",
    }
    return envelope(
        f"com.example.audit.{service}.{name}",
        "/audit/‹user.account›/‹user.region›",
        "arn:aws:iam::‹user.account›:role/‹user.role›",
        data,
        accountid="‹user.account›",
        sequence="‹serial›",
    )


def _run_instances(rnd: random.Random) -> tuple[str, str, Tree, Tree]:
    tags = [{"key": key, "value": "‹word›"} for key in ("Name", "team", "cost-center", "环境", "ticket")]
    instance = {
        "instanceId": "‹user.instance›",
        "imageId": "ami-‹span›",
        "instanceState": {"code": "«small»", "name": "pending"},
        "privateDnsName": "ip-‹ip›.‹user.region›.compute.internal",
        "keyName": "«maybe»",
        "amiLaunchIndex": "«small»",
        "productCodes": {},
        "instanceType": rnd.choice(("m7g.large", "c7i.4xlarge", "t4g.nano")),
        "launchTime": "«serial»",
        "placement": {
            "availabilityZone": "‹user.region›a",
            "tenancy": "default",
            "partitionNumber": "«variant»",
        },
        "monitoring": {"state": "pending"},
        "subnetId": "subnet-‹span›",
        "vpcId": "vpc-‹span›",
        "privateIpAddress": "‹ip›",
        "stateReason": {"code": "pending", "message": "‹message›"},
        "architecture": "arm64",
        "rootDeviceType": "ebs",
        "blockDeviceMapping": {},
        "tagSet": {"items": tags[: rnd.randrange(2, 6)]},
        "groupSet": {"items": [{"groupId": "sg-‹span›", "groupName": "‹word›"}]},
        "networkInterfaceSet": {
            "items": [
                {
                    "networkInterfaceId": "eni-‹span›",
                    "macAddress": "0a:‹minute_second›:‹minute_second›",
                    "attachment": {"deviceIndex": 0, "status": "attaching", "attachTime": "«serial»"},
                    "privateIpAddressesSet": {"item": [{"privateIpAddress": "‹ip›", "primary": True}]},
                    "ipv6AddressesSet": {},
                }
            ]
        },
        "cpuOptions": {"coreCount": "«small»", "threadsPerCore": 1},
        "metadataOptions": {
            "state": "pending",
            "httpTokens": "required",
            "httpPutResponseHopLimit": "«small»",
        },
    }
    request = {
        "instancesSet": {"items": [{"imageId": "ami-‹span›", "minCount": 1, "maxCount": "«small»"}]},
        "blockDeviceMapping": {
            "items": [{"deviceName": "/dev/xvda", "ebs": {"volumeSize": "«int»", "iops": "«number»"}}]
        },
        "monitoring": {"enabled": "«bool»"},
        "tagSpecificationSet": {"items": [{"resourceType": "instance", "tags": tags}]},
    }
    count = rnd.randrange(1, 12)
    response = {
        "requestId": "‹uuid›",
        "reservationId": "r-‹span›",
        "instancesSet": {"items": [instance] * count},
    }
    return "ec2", "RunInstances", request, response


def _put_bucket_policy(rnd: random.Random) -> tuple[str, str, Tree, Tree]:
    statements = [
        {
            "Sid": f"Statement{number}",
            "Effect": rnd.choice(("Allow", "Deny")),
            "Principal": {
                "AWS": ["arn:aws:iam::‹user.account›:role/‹word›", "arn:aws:iam::‹user.account›:root"]
            },
            "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"][: rnd.randrange(1, 4)],
            "Resource": ["arn:aws:s3:::‹user.bucket›/*", "arn:aws:s3:::‹user.bucket›"],
            "Condition": {
                "IpAddress": {"aws:SourceIp": ["‹ip›/32", "‹ip›/32"]},
                "Bool": {"aws:SecureTransport": "«bool»"},
            },
        }
        for number in range(rnd.randrange(2, 9))
    ]
    request = {
        "bucketName": "‹user.bucket›",
        "Host": "‹user.bucket›.s3.‹user.region›.amazonaws.com",
        "policy": "",
        "bucketPolicy": {"Version": "2012-10-17", "Statement": statements},
    }
    return "s3", "PutBucketPolicy", request, {"x-amz-version-id": "«maybe»", "limits": "«matrix»"}


def _register_task(rnd: random.Random) -> tuple[str, str, Tree, Tree]:
    definition = {
        "family": "‹word›",
        "revision": "«int»",
        "containerDefinitions": [
            {
                "name": "‹word›",
                "image": "registry.example.com/‹word›@‹digest›",
                "cpu": "«variant»",
                "memory": "«variant»",
                "essential": "«bool»",
                "environment": [
                    {"name": key, "value": "‹word›"} for key in rnd.sample(ENVIRONMENT, rnd.randrange(4, 16))
                ],
                "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:secretsmanager:::secret:‹token›"}],
                "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/‹word›"}},
                "healthCheck": {"interval": "«small»", "retries": "«small»", "command": "«list»"},
                "dependsOn": [],
            }
            for _ in range(rnd.randrange(1, 4))
        ],
        "volumes": [],
        "placementConstraints": [],
        "weights": "«matrix»",
    }
    response = {
        "taskDefinition": definition | {"taskDefinitionArn": "arn:aws:ecs:::task/‹word›", "status": "ACTIVE"}
    }
    return "ecs", "RegisterTaskDefinition", definition, response


_CALLS = (_run_instances, _put_bucket_policy, _register_task)
