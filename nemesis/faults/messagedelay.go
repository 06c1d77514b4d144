package faults

import (
	"squall/internal/declare"
	"squall/nemesis"
)

// messageDelay makes messages late, so that others overtake them.
func messageDelay() nemesis.Fault {
	return meddling{
		name: "message-delay",
		doc:  "servers' messages come late, and are overtaken by others",
		done: "delayed",
		params: []declare.Param{
			messageShare("25%", "10%", "25%", "50%"),
			{Name: "delay", Kind: declare.Duration, Default: "200ms", Draw: []string{"50ms", "200ms", "1s"}, Min: "1ms", Max: "1m0s",
				Doc: "how late they are"},
		},
		of: func(a declare.Args) nemesis.MessageFault {
			return nemesis.MessageFault{Do: nemesis.DelayMessage, Delay: a.Duration("delay")}
		},
	}.fault()
}
