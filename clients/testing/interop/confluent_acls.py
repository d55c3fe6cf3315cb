"""confluent-kafka (librdkafka) creates, lists and deletes ACLs: confluent_acls.py BOOTSTRAP. Prints one line for each step."""

import json
import sys

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

admin = AdminClient({"bootstrap.servers": sys.argv[1]})


def binding(pattern, host="*"):
    return AclBinding(
        ResourceType.TOPIC, "from-python", pattern, "User:py", host, AclOperation.READ, AclPermissionType.ALLOW
    )


def text(acl):
    return [acl.restype.name, acl.name, acl.resource_pattern_type.name, acl.principal, acl.host, acl.operation.name]


def outcome(future):
    try:
        future.result()
        return None
    except Exception as error:
        return str(error)


wanted = [binding(ResourcePatternType.LITERAL), binding(ResourcePatternType.PREFIXED), binding(ResourcePatternType.LITERAL, "10.0.0.0/8")]
futures = admin.create_acls(wanted)
print(json.dumps([outcome(futures[each]) for each in wanted]))
every = AclBindingFilter(
    ResourceType.TOPIC, "from-python", ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
)
print(json.dumps(sorted(text(acl) for acl in admin.describe_acls(every).result())))
print(json.dumps(sorted(text(acl) for acl in admin.delete_acls([every])[every].result())))
print(json.dumps([text(acl) for acl in admin.describe_acls(every).result()]))
