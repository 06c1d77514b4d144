package faults

import (
	"squall/history"
	"squall/nemesis"
)

// kill ends servers with SIGKILL: what was not on disk is what they forget.
func kill() nemesis.Fault {
	a := acting{do: nemesis.Node.Kill, undo: nemesis.Node.Start, hurt: dead, well: alive}
	return nemesis.Fault{
		Name:     "kill",
		Kind:     history.KindProcess,
		Doc:      "servers end by SIGKILL and are started again",
		Variants: targets(),
		Holds:    []nemesis.Resource{nemesis.HoldServers},
		MinNodes: 1,
		Inject:   a.inject,
		Undo:     a.heal,
	}
}
