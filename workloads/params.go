package workloads

import (
	"errors"
	"math"

	"squall/internal/declare"
)

// Declarations are the workloads with their parameters, as they are called:
// register(keys=3).
func Declarations() []declare.Declaration {
	var all []declare.Declaration
	for _, w := range All() {
		all = append(all, declare.Declaration{Name: w.Name(), Doc: w.Describe(), Params: w.Params(), Check: func(a declare.Args) error {
			_, err := w.Resolve(a)
			return err
		}})
	}
	return all
}

// Params are the parameters of a register workload.
func (Register) Params() declare.Params {
	return declare.Params{
		{Name: "keys", Kind: declare.Count, Default: "5", Min: "1", Max: "1000", Unit: "keys",
			Doc: "keys in use at a time; the fewer, the more clients meet on one key"},
		{Name: "ops-per-key", Kind: declare.Count, Default: "300", Min: "10", Max: "5000", Unit: "operations",
			Doc: "operations on a key before a new key replaces it"},
		{Name: "mix", Kind: declare.Weights, Default: "50/30/20", Parts: []string{"read", "write", "cas"}, Min: "0", Max: "1000",
			Doc: "how often each function is called, relative to the others"},
		{Name: "look-back", Kind: declare.Share, Default: "3%", Min: "0%", Max: "50%",
			Doc: "how many operations read a key that was replaced lately, to find writes that were lost"},
	}
}

// Resolve turns parameters into settings, or says which cannot be.
func (Register) Resolve(a declare.Args) (Params, error) {
	mix := a.Weights("mix")
	p := Params{Keys: a.Int("keys"), OpsPerKey: a.Int("ops-per-key"), Mix: &Mix{Read: mix[0], Write: mix[1], CAS: mix[2]}}
	perMille := a.Float("look-back") * 1000
	if math.Abs(perMille-math.Round(perMille)) > 1e-6 {
		return Params{}, &declare.Error{Param: "look-back", Err: errors.New("look-back must be a multiple of 0.1%")}
	}
	if p.LookBack = int(math.Round(perMille)); p.LookBack == 0 {
		p.LookBack = -1 // off
	}
	switch {
	case mix[0] == 0:
		return Params{}, &declare.Error{Param: "mix", Err: errors.New("mix has no reads, so nothing would be observed")}
	case mix[1] == 0 && mix[2] == 0:
		return Params{}, &declare.Error{Param: "mix", Err: errors.New("mix has neither writes nor cas, so there would be nothing to observe")}
	}
	return p, nil
}
