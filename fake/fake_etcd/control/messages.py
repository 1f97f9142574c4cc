"""The control service's messages, as classes built from the descriptors that the build made of `control.proto`."""

from importlib import resources

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_POOL = descriptor_pool.Default()
_SET = descriptor_pb2.FileDescriptorSet.FromString(resources.files(__package__).joinpath("messages.binpb").read_bytes())
for _file in _SET.file:
    _file.name = "fake_etcd/control/control.proto"
    _POOL.AddSerializedFile(_file.SerializeToString())

DESCRIPTOR = _POOL.FindFileByName("fake_etcd/control/control.proto")
for _name, _message in DESCRIPTOR.message_types_by_name.items():
    globals()[_name] = message_factory.GetMessageClass(_message)
