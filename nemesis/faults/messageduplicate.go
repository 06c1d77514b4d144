package faults

import (
	"squall/internal/declare"
	"squall/nemesis"
)

// messageDuplicate delivers messages twice.
func messageDuplicate() nemesis.Fault {
	return meddling{
		name: "message-duplicate",
		doc:  "servers' messages are delivered twice",
		done: "delivered twice",
		params: []declare.Param{
			messageShare("50%", "25%", "50%", "100%"),
			{Name: "delay", Kind: declare.Duration, Default: "0s", Draw: []string{"0s", "20ms", "300ms"}, Min: "0s", Max: "1m0s",
				Doc: "how long after the first the second one comes"},
		},
		of: func(a declare.Args) nemesis.MessageFault {
			return nemesis.MessageFault{Do: nemesis.DuplicateMessage, Delay: a.Duration("delay")}
		},
	}.fault()
}
