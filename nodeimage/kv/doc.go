// Package kv is a replicated store on the Raft library: strings and lists by
// key, transactions over several keys, locks with leases, and sessions whose
// commands may be sent again. The package holds its state machine, its server,
// and the client of that server.
//
// # Client protocol, version 5
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
// The body of a request is an operation (u8) and what belongs to it. Bytes are
// a uvarint length and as many bytes: a key at most 64 KiB, a value 1 MiB, an
// element of a list 64 KiB, a name or an owner 1 KiB.
//
//	1 get            key
//	2 put            key, value
//	3 delete         key
//	4 compare-and-set  key, expect, value
//	5 append         key, element
//	6 list           key
//	7 transaction    conditions, then, else; at most 2 MiB together
//	8 read-only transaction  likewise, with gets and lists alone
//	9 register       nothing
//	10 acquire       name, owner, ttl
//	11 release       name, owner, token
//	12 keep-alive    name, owner, token, ttl
//	13 digest        index (uvarint); 0: none, for the position alone
//	14 add           key, number (bytes: a whole number as text, at most 20)
//	15 pop           key
//	16 remove        key, element
//
// What is expected is 0 (u8), the key must be absent; or 1 (u8) and a value that
// the key must hold. Conditions are a uvarint count, at most 128, and of each its
// key and what is expected; then and else are a uvarint count, at most 128, and
// of each operation, which is one of 1, 2, 3, 5 and 6, its body. A token and a
// ttl are uvarints, a ttl in nanoseconds, at most a year, 0 for ever.
//
// Before operations 2 to 5, 7, 10 to 12 and 14 to 16 may stand that they belong to a
// session: 128 (u8), the session's id (u64), the command's number in it
// (uvarint, from 1), and the number below which all answers of the session have
// arrived (uvarint, from 1, not above the command's).
//
// The body of an answer is a status (u8) and what belongs to it:
//
//	1 ok               0 (u8): nothing; or 1 (u8) and the data, to the end of the frame
//	2 not so           likewise
//	3 failed           code (u8), text to the end: the request certainly had
//	                   no effect and never will
//	4 unknown          code (u8), text to the end: the request may or may not
//	                   have taken effect, now or later
//
// The data depends on the operation. A key that does not exist has none.
//
//	get              ok: the value
//	put              ok: the value that was replaced
//	compare-and-set  not so: what the key holds instead of the expected value
//	list             ok: the elements, each as bytes
//	transaction      ok, of then, or not so, of else: the result of each
//	                 operation, at most 2 MiB together: 0 (u8), it has none; or 1
//	                 (u8) and a value as bytes; or 2 (u8) and a list as bytes
//	register         ok: the session's id (u64)
//	acquire          ok: the token (u64); not so: the holder
//	release, keep-alive  not so: the holder, or nothing when nobody holds the lock
//	add              ok: the sum, as text
//	pop              ok: the element that was first
//	remove           not so: nothing, there is no such element
//	digest           ok: the index of the last entry that the asked node has
//	                 applied (u64), and the digest of its state there (u64; 0
//	                 where none was asked for)
//
// A holder is its token (u64), what is left of its lease (u64, nanoseconds; 0
// for ever), and the owner. Operations 1, 6, 8 and 13 have no effect, so they are
// never answered "unknown". The codes are those of [Code]. A frame that breaks
// these rules ends the connection.
//
// # Strings, lists and transactions
//
// A number is a string, its text. An add to a key that does not exist begins with
// 0; one to what is no whole number fails (CodeWrongKind), and one whose sum
// does not fit into 64 bits, too (CodeTooLarge). A list that loses its last
// element does not exist any more.
//
// A key holds a string or a list. An append to a key that does not exist begins
// a list; a delete removes either kind; every other operation on the wrong kind
// fails (CodeWrongKind). A list has at most 1 MiB, with one to three bytes for
// each element's length; an append beyond fails (CodeTooLarge).
//
// A transaction is carried out at one place in the log, its reads included. When
// all its conditions hold, it is then, otherwise else. Each operation sees what
// those before it did; when one fails, the transaction fails and changes
// nothing. A read-only transaction goes by ReadIndex as a get does, and reads
// all its keys at one moment.
//
// # Sessions
//
// A command without an answer may have been applied, so it must not be sent
// again, unless it has a number in a session (Raft thesis, section 6.3). The
// state machine keeps the answers to a session's commands. When a number comes
// again, whoever sends it and to whatever node, it is answered as it was and not
// applied. Failures that the state machine itself decides on are such answers,
// too: the wrong kind, too large, too many locks.
//
// There are at most 1,024 sessions; of each 64 answers and 8 MiB of them are
// kept, and 64 MiB of all. Beyond that, sessions are ended in the order in which
// they were used last, and in a session the answers to the lowest numbers are
// dropped; so are those to the numbers that the client has named as answered.
// All of that goes by the log, so it is the same on every node, and it is in the
// snapshots. A command of a session that was ended is never applied, and fails
// with CodeNoSession; one whose number is at or below a dropped one is never
// applied from there on, and fails with CodeForgotten. Both say that this
// request had no effect. An earlier one with the same number may have had one:
// [Client.With] takes that into account.
//
// # Locks
//
// A lock is held by an owner until it is released or its lease has ended. Each
// grant has a token, higher than that of every grant before it, of whatever
// lock. A lock is not granted twice, not even to its holder.
//
// Leases go by the lease time, which is part of the state. The leader puts it
// into the log with each command on a lock; by that time, and none of their own,
// all nodes decide whether a lease has ended. While a node leads, the time
// passes by that node's clock (see [Clock]). A new leader begins where its state
// stands; it never goes back, whatever an earlier leader wrote. So clocks of
// different nodes are never compared, and a change of leader can only prolong
// leases, by what has passed since the last command on any lock, not shorten
// them. A clock that jumps or runs fast makes leases end early; one that stands
// still or is set back prolongs them.
//
// What is guaranteed, whatever the clocks do: the grants of a lock, its releases
// and keep-alives stand in one order, and none of them is granted while it is
// held in that order; tokens only rise; a release or keep-alive by anyone but the
// holder, or after the end of the lease, changes nothing.
//
// What is not: that the holder knows. The lease begins when the leader reads its
// clock, before the holder hears of it. By the time its answer arrives, and
// later whenever the holder is slow or its own clock is, the lease can be over
// for the servers and the lock held by another, while the first one still
// believes in it. No lock with a lease can prevent that. That is what the token
// is for: what the lock protects has to remember the highest token that it has
// seen and refuse lower ones.
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
// The log holds the bodies of requests. Before those of operations 10 to 12 the
// leader puts 129 (u8) and the lease time (u64, nanoseconds); no request may
// hold that.
//
// # Earlier versions
//
// Version 4 had operations 1 to 13.
// Version 3 had operations 1 to 12, and a put did not tell what it replaced.
// Version 2 had operations 1 to 4, and no sessions. Its hellos were as they are
// now; both are answered with the verdict that the version is not spoken.
// The hellos of version 1 were shorter by the checksum. They are answered in the
// form above, whose first 8 bytes that version understands as a refusal.
// Snapshots of earlier versions are refused.
package kv
