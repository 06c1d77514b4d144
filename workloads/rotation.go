package workloads

import (
	"math/rand/v2"
	"strconv"
	"sync"

	"squall/history"
)

// retiredKept is how many retired keys are looked back at. Under a leader that
// acknowledges what it will lose, keys are used up quickly; this many reach
// back some 75,000 operations of a register.
const retiredKept = 256

// Rotation hands out keys: few are in use at once, so that clients meet, and each
// has its share of operations and is then retired for the next one, which keeps
// checking cheap. Retired keys are kept for a while, to be looked back at. Its
// methods are safe for concurrent use.
//
// Keys are a prefix and a number from 0 on, each used in one slot and never again.
type Rotation struct {
	prefix string
	perKey int
	slots  []slot

	mu      sync.Mutex
	kept    int
	retired []string // the last kept, in a ring
	next    int      // where the next one goes
}

// Turn is what a client knows of a key when it picks its operation.
type Turn struct {
	Key  string
	Nth  int          // this is the key's Nth operation, from 1
	Seen history.Data // what Note noted of it last; "" for nothing yet
	// number is that of the key: slot + generation × slots; call, when the
	// operation that saw Seen was called.
	number int
	call   int64
}

// slot is a place for one key in use.
type slot struct {
	mu sync.Mutex
	Turn
	// Slots are used by all clients at once; the padding keeps two of them
	// off one cache line.
	_ [64]byte
}

// NewRotation is one of that many keys at once, each for perKey operations.
func NewRotation(prefix string, keys, perKey int) *Rotation {
	r := &Rotation{prefix: prefix, perKey: perKey, kept: retiredKept, slots: make([]slot, keys)}
	for i := range r.slots {
		r.slots[i].Turn = r.fresh(i)
	}
	return r
}

// Keep has that many retired keys looked back at, at least one. It is called before any
// key is taken.
func (r *Rotation) Keep(retired int) { r.kept = max(1, retired) }

func (r *Rotation) fresh(number int) Turn {
	return Turn{Key: r.prefix + strconv.Itoa(number), number: number}
}

// Keys is how many keys are in use at once.
func (r *Rotation) Keys() int { return len(r.slots) }

// Take counts one operation on the key in slot i, from 0 up to Keys, and returns
// what is known of it. When the key has had its share, the next one takes its place.
func (r *Rotation) Take(i int) Turn {
	s := &r.slots[i]
	s.mu.Lock()
	old := ""
	if s.Nth == r.perKey {
		old = s.Key
		s.Turn = r.fresh(s.number + len(r.slots))
	}
	s.Nth++
	turn := s.Turn
	s.mu.Unlock()
	if old != "" {
		r.retire(old)
	}
	return turn
}

// Peek is the key in slot i, from 0 up to Keys, without an operation on it.
func (r *Rotation) Peek(i int) string {
	s := &r.slots[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Key
}

// Note notes what an operation on a key in use that was called at that time saw of
// it, unless what is noted is newer.
func (r *Rotation) Note(key string, call int64, seen history.Data) {
	if len(key) <= len(r.prefix) || key[:len(r.prefix)] != r.prefix {
		return
	}
	number, err := strconv.Atoi(key[len(r.prefix):])
	if err != nil || number < 0 {
		return
	}
	s := &r.slots[number%len(r.slots)]
	s.mu.Lock()
	defer s.mu.Unlock()
	// An answer that was long on its way is older news than what is there.
	if s.number == number && call >= s.call {
		s.Seen, s.call = seen, call
	}
}

func (r *Rotation) retire(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.retired) < r.kept {
		r.retired = append(r.retired, key)
		return
	}
	r.retired[r.next] = key
	r.next = (r.next + 1) % r.kept
}

// LookBack is one of the retired keys, drawn as often as share says (0 to 1); "" when
// it is not this time's turn, or there is none.
func (r *Rotation) LookBack(rng *rand.Rand, share float64) string {
	if rng.Float64() >= share {
		return ""
	}
	n := rng.Uint64()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.retired) == 0 {
		return ""
	}
	return r.retired[n%uint64(len(r.retired))]
}

// Unique makes numbers that no other client makes, without asking the others: client i
// of c makes i+1, i+1+c, i+1+2c, …, so a number names who made it.
type Unique struct{ next, step int64 }

// NewUnique is the Unique of a client, from 0 up to clients.
func NewUnique(client, clients int) Unique {
	return Unique{next: int64(client) + 1, step: int64(clients)}
}

// Next is the next number.
func (u *Unique) Next() int64 {
	n := u.next
	u.next += u.step
	return n
}

// Finals are operations on the keys in use and those just before them, through
// every node, then on the other retired keys, latest first, through one node each.
func (r *Rotation) Finals(on func(key string) Intent) []Final {
	var all []Final
	for i := range r.slots {
		s := &r.slots[i]
		s.mu.Lock()
		if s.Nth > 0 {
			all = append(all, Final{Intent: on(s.Key), EveryNode: true})
		}
		s.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.retired {
		n := len(r.retired)
		key := r.retired[(r.next+n-1-i)%n]
		all = append(all, Final{Intent: on(key), EveryNode: i < len(r.slots)})
	}
	return all
}

// All are the keys that were ever taken, those in use first and then the newest of
// each slot; at most that many.
func (r *Rotation) All(most int) []string {
	last := make([]int, len(r.slots)) // the newest number that was taken of each slot
	left := 0
	for i := range r.slots {
		s := &r.slots[i]
		s.mu.Lock()
		last[i] = s.number
		if s.Nth == 0 { // nobody has taken this one yet
			last[i] -= len(r.slots)
		}
		s.mu.Unlock()
		if last[i] >= 0 {
			left += last[i]/len(r.slots) + 1
		}
	}
	keys := make([]string, 0, min(left, most))
	for back := 0; len(keys) < cap(keys); back++ {
		for _, newest := range last {
			if number := newest - back*len(r.slots); number >= 0 && len(keys) < cap(keys) {
				keys = append(keys, r.prefix+strconv.Itoa(number))
			}
		}
	}
	return keys
}

// MostScanned is how many keys are read back after a test at most: what a scan of a
// few seconds will not get through.
const MostScanned = 200_000

// Scan is an operation on each of All, for Scanner.
func (r *Rotation) Scan(on func(key string) Intent) []Intent {
	keys := r.All(MostScanned)
	reads := make([]Intent, len(keys))
	for i, key := range keys {
		reads[i] = on(key)
	}
	return reads
}
