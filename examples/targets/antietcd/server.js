// Serves AntiEtcd over gRPC, for etcd-lockstep. Each request goes to AntiEtcd as a client of etcd's JSON API would send it.
const path = require("path");
const AntiEtcd = require("antietcd");
const grpc = require("@grpc/grpc-js");
const { loadSync } = require("@grpc/proto-loader");

const root = path.join(__dirname, "../../..");
const protos = ["fake/fake_etcd/wire/etcd.proto", "adapters/proto/target.proto"].map((file) => path.join(root, file));
const definitions = loadSync(protos, { keepCase: true, longs: String, enums: String });

let etcd = new AntiEtcd({});
let leases = new Map(); // AntiEtcd's ids are text of 16 hexadecimal digits: those that it granted, by their number on the wire

// What AntiEtcd refuses with an HTTP status of its own, and what it throws besides. Its 501, for what it does not support of ranges
// and comparisons, is no UNIMPLEMENTED here: etcd-lockstep would then ask no range or comparison any more, supported or not.
const failure = ({ code, message }) => ({ code: code ? grpc.status.INVALID_ARGUMENT : grpc.status.UNKNOWN, details: message });

const call = (name, request) => etcd.api(name, request, {});

const base64 = (bytes) => (bytes ?? Buffer.alloc(0)).toString("base64");

const toLease = (id) => leases.get(id) ?? id;

function toNumber(lease) {
  if (lease === undefined || lease === null) return undefined;
  const number = BigInt.asUintN(63, BigInt("0x" + lease)).toString();
  leases.set(number, lease);
  return number;
}

// Fields that have their default are left out, as JSON has it for protobuf; a key and a value are always there.
function toRange({ key, range_end, ...options }) {
  return { ...options, key: base64(key), ...(range_end?.length && { range_end: base64(range_end) }) };
}

// A watch is read by putting one key again and again, with the same value. AntiEtcd sends no event of a put that changes nothing, so
// each such put has another value here, which is not shown.
const isSentinel = (key) => key?.toString() === "~sentinel";
let sentinels = 0;

function toPut({ key, value, lease, ...options }) {
  const put = isSentinel(key) ? Buffer.from(String(++sentinels)) : value;
  return { ...options, key: base64(key), value: base64(put), ...(lease && lease !== "0" && { lease: toLease(lease) }) };
}

function toCompare({ key, value, lease, target = "VERSION", ...rest }) {
  const compare = { ...rest, target, key: base64(key) };
  if (target === "VALUE") compare.value = base64(value);
  if (target === "LEASE" && lease && lease !== "0") compare.lease = toLease(lease);
  return compare;
}

function toOperation({ request_range, request_put, request_delete_range, request_txn }) {
  if (request_range) return { request_range: toRange(request_range) };
  if (request_put) return { request_put: toPut(request_put) };
  if (request_delete_range) return { request_delete_range: toRange(request_delete_range) };
  return { request_txn };
}

const toTxn = ({ compare = [], success = [], failure = [] }) => ({
  compare: compare.map(toCompare),
  success: success.map(toOperation),
  failure: failure.map(toOperation),
});

function fromKv({ key = "", value = "", lease, ...rest }) {
  const name = Buffer.from(key, "base64");
  return { ...rest, key: name, value: isSentinel(name) ? "" : Buffer.from(value, "base64"), lease: toNumber(lease) };
}

const fromEvent = ({ type, kv }) => ({ type, kv: fromKv(kv) });

const fromRange = ({ kvs, ...rest }) => ({ ...rest, kvs: kvs.map(fromKv) });

const fromTxn = ({ responses, ...rest }) => ({
  ...rest,
  responses: responses.map((r) => (r.response_range ? { response_range: fromRange(r.response_range) } : r)),
});

const unary = (method) => (request, reply) =>
  method(request.request).then(
    (response) => reply(null, response),
    (e) => reply(failure(e)),
  );

const kv = {
  Range: unary(async (r) => fromRange(await call("kv_range", toRange(r)))),
  Put: unary((r) => call("kv_put", toPut(r))),
  DeleteRange: unary((r) => call("kv_deleterange", toRange(r))),
  Txn: unary(async (r) => fromTxn(await call("kv_txn", toTxn(r)))),
};

const lease = {
  LeaseGrant: unary(async ({ ID, TTL = 0 }) => {
    const granted = await call("lease_grant", { ID, TTL: Number(TTL) });
    await new Promise((done) => setTimeout(done, 5)); // some end at once: so they are gone before the next request, always
    return { ...granted, ID: toNumber(granted.ID) };
  }),
  LeaseRevoke: unary(({ ID = "0" }) => call("lease_revoke", { ID: toLease(ID) })),
  LeaseKeepAlive: (stream) => {
    stream.on("data", async ({ ID = "0" }) => {
      try {
        const { result } = await call("lease_keepalive", { ID: toLease(ID) });
        stream.write({ ...result, ID: toNumber(result.ID) });
      } catch (e) {
        stream.emit("error", failure(e));
      }
    });
    stream.on("end", () => stream.end());
  },
};

// As over its WebSocket: there is no answer to who asks for a watcher with an id that is taken, or cancels one that is not there.
const watch = {
  Watch: (stream) => {
    const created = new Map(); // AntiEtcd's ids, by those on the wire
    let before = Promise.resolve();
    const send = (message) => stream.write({ header: { revision: etcd.etctree.mod_revision }, ...message });

    async function create({ watch_id = "0", key, range_end, start_revision = "0" }) {
      if (created.has(watch_id)) return;
      const early = []; // events of the past come before the id
      let file = (events) => early.push(...events);
      const from = start_revision !== "0" && { start_revision: Number(start_revision) };
      try {
        const asked = { ...toRange({ key, range_end }), ...from };
        const own = await etcd.create_watch(asked, ({ result }) => file(result.events.map(fromEvent)));
        const id = watch_id === "0" ? String(own) : watch_id;
        created.set(id, own);
        send({ watch_id: id, created: true });
        file = (events) => send({ watch_id: id, events });
        if (early.length) file(early);
      } catch (e) {
        send({ watch_id, created: true, canceled: true, cancel_reason: e.message });
      }
    }

    async function cancel({ watch_id = "0" }) {
      if (!created.has(watch_id)) return;
      await etcd.cancel_watch(created.get(watch_id));
      created.delete(watch_id);
      send({ watch_id, canceled: true });
    }

    async function handle({ create_request, cancel_request, progress_request }) {
      if (create_request) await create(create_request);
      else if (cancel_request) await cancel(cancel_request);
      else if (progress_request) send({});
    }

    stream.on("data", (request) => (before = before.then(() => handle(request))));
    stream.on("end", () => stream.end());
  },
};

const target = {
  Reset: unary(async () => {
    etcd.etctree.destroy();
    etcd = new AntiEtcd({});
    leases = new Map();
    return {};
  }),
};

const server = new grpc.Server();
for (const [name, handlers] of Object.entries({
  "fake_etcd.wire.KV": kv,
  "fake_etcd.wire.Lease": lease,
  "fake_etcd.wire.Watch": watch,
  "etcdlockstep.Target": target,
})) {
  // The messages stand in a package of etcd-lockstep's; on the wire the methods have etcd's names.
  const methods = Object.entries(definitions[name]).filter(([method]) => handlers[method]);
  const renamed = methods.map(([method, m]) => [method, { ...m, path: m.path.replace("fake_etcd.wire", "etcdserverpb") }]);
  server.addService(Object.fromEntries(renamed), handlers);
}
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  // It knows ranges only of a directory, as from /a/ to /a0.
  for (const key of ["/a", "/a/", "/a/b", "/a/b/c", "/a/c", "/b"]) console.log(`etcd-lockstep: key ${key}`);
  console.log(`127.0.0.1:${port}`);
});
