"""etcd's messages, as classes built from the descriptors that the build made of `etcd.proto`.

Their types stand in the generated `messages.pyi`. Message names are in protobuf's pool under
`fake_etcd.wire`, so they never collide with the generated messages of another etcd client.
"""

from importlib import resources

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal import enum_type_wrapper

_POOL = descriptor_pool.Default()
_SET = descriptor_pb2.FileDescriptorSet.FromString(resources.files(__package__).joinpath("messages.binpb").read_bytes())
for _file in _SET.file:
    # A name of our own for the file too: the pool refuses two different files called etcd.proto.
    _file.name = "fake_etcd/wire/etcd.proto"
    _POOL.AddSerializedFile(_file.SerializeToString())

DESCRIPTOR = _POOL.FindFileByName("fake_etcd/wire/etcd.proto")
for _name, _message in DESCRIPTOR.message_types_by_name.items():
    globals()[_name] = message_factory.GetMessageClass(_message)
for _name, _enum in DESCRIPTOR.enum_types_by_name.items():
    globals()[_name] = enum_type_wrapper.EnumTypeWrapper(_enum)
    globals().update({value.name: value.number for value in _enum.values})
