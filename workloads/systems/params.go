package systems

import (
	"fmt"

	"squall/internal/declare"
)

// Declarations are the systems with their parameters, as they are called:
// raftkv(heartbeat=50ms).
func Declarations() []declare.Declaration {
	var all []declare.Declaration
	for _, s := range All() {
		all = append(all, declare.Declaration{Name: s.Name(), Doc: s.Describe(), Params: s.Params(), Check: func(a declare.Args) error {
			_, err := s.Options(a)
			return err
		}})
	}
	return all
}

// Params are the parameters of a raftkv server.
func (RaftKV) Params() declare.Params {
	return declare.Params{
		{Name: "heartbeat", Kind: declare.Duration, Default: "50ms", Min: "1ms", Max: "10s",
			Doc: "the leader's heartbeat interval; at most half of the shortest election timeout"},
		{Name: "election", Kind: declare.Range, Default: "300ms-600ms", Min: "5ms", Max: "1m",
			Doc: "election timeouts: each is drawn from this range"},
		{Name: "snapshot-every", Kind: declare.Count, Default: "2000", Min: "10", Max: "2147483647", Unit: "log entries",
			Doc: "log entries between two snapshots"},
	}
}

// Options turns parameters into settings, or says which do not go together.
func (RaftKV) Options(a declare.Args) (Options, error) {
	opt := Options{Heartbeat: a.Duration("heartbeat"), SnapshotEvery: a.Int("snapshot-every")}
	opt.ElectionMin, opt.ElectionMax = a.Range("election")
	switch {
	case opt.ElectionMin >= opt.ElectionMax:
		return Options{}, &declare.Error{Param: "election", Err: fmt.Errorf(
			"election: the longest timeout must be greater than the shortest, which is %v, or two nodes stand for election at the same moment again and again", opt.ElectionMin)}
	case 2*opt.Heartbeat > opt.ElectionMin:
		return Options{}, &declare.Error{Param: "heartbeat", Err: fmt.Errorf(
			"heartbeat must be at most half of the shortest election timeout, which is %v; it is %v", opt.ElectionMin, opt.Heartbeat)}
	}
	return opt, nil
}
