// Package kv is a replicated key-value map on the Raft library: its state
// machine, its server, and the client of that server.
//
// # Client protocol, version 2
//
// A client opens a TCP connection (default port 4100) and sends a hello of 12
// bytes: the letters "sqkv", the protocol version (u16), 0 (u16), and a
// checksum (u32). The server answers with the same letters, its own version,
// and 0 when it goes on, or 1 when it does not speak the client's version; then
// it closes. The answer has a checksum, too. All integers of fixed size are big
// endian; a uvarint is that of encoding/binary; a checksum is the CRC-32C of
// what stands before it, unless it says otherwise.
//
// Then both sides send frames: a header and a body. The header is the body's
// length (u32), the request's id (u64, chosen by the client, unique among its
// requests in flight), the body's checksum (u32), and the header's own (u32).
// Requests are pipelined: a client need not wait for an answer before it sends
// the next request, and answers come in any order.
//
// The body of a request:
//
//	op (u8)      1 get, 2 put, 3 delete, 4 compare-and-set
//	key          uvarint length, bytes; at most 64 KiB
//	expect       compare-and-set only: 0 (u8), the key must be absent; or
//	             1 (u8), uvarint length, bytes: the key must hold this
//	value        put and compare-and-set only: uvarint length, bytes; at most 1 MiB
//
// The body of an answer is a status (u8) and what belongs to it:
//
//	1 ok               0 (u8): no value; or 1 (u8) and the value, to the end of the frame
//	2 compare failed   likewise: what the key holds instead of the expected value
//	3 failed           code (u8), text to the end: the operation certainly had
//	                   no effect and never will
//	4 unknown          code (u8), text to the end: the operation may or may not
//	                   have taken effect, now or later
//
// A get is answered "ok" with the value, or without one when the key does not
// exist. A get has no effect, so it is never answered "unknown". The codes are
// those of [Code]. A frame that breaks these rules ends the connection.
//
// # A network that changes bytes
//
// TCP's own checksum is weak, and what changes a packet on its way may set it
// right again. So nothing of a hello or a frame is used before its checksum was
// seen to fit, not even a length: a header is checked before the body is waited
// for. What does not fit ends the connection at once, since nobody knows where
// the next frame would begin; requests in flight end as with any connection
// that is lost, and nodes connect anew. Servers log and count it (see
// squall_damaged_connections_total). That bytes come once and in order is left
// to TCP. A forwarded request gets new checksums on each connection.
//
// # Among the nodes
//
// A node that is not the leader forwards a request to the leader and relays the
// answer. A forwarded request is never forwarded again. While no leader is
// known, or none can be reached, the request waits for a moment (see
// [Config.LeaderWait]) and then fails.
//
// Nodes speak to each other on another port (default 4101), on two TCP
// connections in each direction: one for Raft's messages and one for forwarded
// requests, so that neither heartbeats nor requests wait behind the other.
// Each begins with a hello of 36 bytes: "sqpr", version (u16), kind (u8: 1
// Raft, 2 requests), 0 (u8), the cluster's name (u64, its hash), the sender's
// id (u64), the receiver's id (u64), and a checksum (u32); the answer is "sqpr",
// version (u16), a verdict (u16, 0: welcome), and a checksum (u32). A frame for
// Raft is a header, which is the message's length (u32), its checksum (u32) and
// the header's own (u32), and the message; a length of 0 says no more than "I am
// here". A connection for requests speaks the client protocol.
//
// # Earlier versions
//
// The hellos of version 1 were shorter by the checksum. They are answered in the
// form above, whose first 8 bytes that version understands as a refusal.
package kv
