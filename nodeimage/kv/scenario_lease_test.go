package kv

import (
	"testing"
	"testing/synctest"
	"time"

	"squall/nodeimage/mutants/scenario"
)

var _ = scenarios.Add(scenario.Set{
	"early-leases": func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := &leaseClock{clock: newPlainClock(), state: &lockState{lease: 1000}}
			c.read(0)
			time.Sleep(time.Minute) // it follows
			c.read(0)
			if got := c.read(3); got != 1000 {
				t.Errorf("the lease time of a new leader is %v, want 1µs, where its state stands", got)
			}
		})
	},
})
