package faults

import (
	"strings"
	"testing"

	"squall/nemesis"
)

func TestParseChoice(t *testing.T) {
	for in, want := range map[string]string{
		"kill":                                "kill",
		"kill()":                              "kill",
		"kill(leader)":                        "kill(leader)",
		"kill(n1+n3)":                         "kill(n1+n3)",
		"delay(50ms±10ms)":                    "delay(delay=50ms, jitter=10ms)",
		"delay(50ms±10ms, normal, leader)":    "delay(delay=50ms, jitter=10ms, distribution=normal, leader)",
		"delay(leader, delay=0.1s)":           "delay(delay=100ms, leader)",
		"loss(share=0.05,variant=link)":       "loss(share=5%, link)",
		"loss(5%)":                            "loss(share=5%)",
		"corrupt(payload, 2%)":                "corrupt(share=2%, as=payload)",
		"rate(1.5MB/s, one)":                  "rate(rate=1.5MB/s, one)",
		"rate(500KB/s)":                       "rate(rate=500kB/s)",
		"slow-cpu(0.25)":                      "slow-cpu(cpus=0.25)",
		"out-of-memory(64MiB, minority)":      "out-of-memory(room=64MiB, minority)",
		"clock-offset(-90s)":                  "clock-offset(offset=-1m30s)",
		"burst-loss(begin=1%, end=10%, n2)":   "burst-loss(begin=1%, end=10%, n2)",
		"bad-link(30ms±5ms,loss=1%,link)":     "bad-link(delay=30ms, jitter=5ms, loss=1%, link)",
		"partition(reject, one)":              "partition(how=reject, one)",
		" flapping ( every=100ms , leader ) ": "flapping(every=100ms, leader)",
	} {
		choice, err := nemesis.ParseChoice(All(), in)
		if err != nil {
			t.Errorf("ParseChoice(%q): %v", in, err)
			continue
		}
		if got := choice.String(); got != want {
			t.Errorf("ParseChoice(%q) = %s, want %s", in, got, want)
		}
		if again, err := nemesis.ParseChoice(All(), choice.String()); err != nil || again.String() != want {
			t.Errorf("%s is read back as %v, %v", want, again, err)
		}
	}
}

func TestParseChoiceRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"earthquake":               `unknown fault "earthquake"; there are: partition, flapping`,
		"kill(nobody)":             `"nobody" is neither a variant nor the value of a parameter; its variants are one, minority`,
		"kill(leader":              "the parenthesis is not closed",
		"kill(leader, one)":        "target is given twice",
		"kill(n1+n1)":              "named twice",
		"kill(variant=somebody)":   `unknown variant "somebody"`,
		"delay(-5ms)":              "delay: expected from 1ms to 10s, found -5ms",
		"delay(10h)":               "delay: expected from 1ms to 10s, found 10h",
		"delay(10ms±20ms)":         "jitter must not be above delay",
		"delay(10ms, delay=20ms)":  "delay is set twice",
		"delay(wait=1s)":           `there is no parameter "wait"`,
		"delay(10ms,normalish)":    `"normalish" is neither`,
		"loss(110%)":               "share: expected from 0.1% to 100%, found 110%",
		"loss(NaN)":                "neither a variant nor the value",
		"loss(share=NaN)":          "share: expected a number",
		"rate(1B/s)":               "rate: expected from 10kB/s to 20MB/s",
		"slow-cpu(0)":              "cpus: expected from 0.02 to 64",
		"corrupt(as=broken)":       "as: expected one of checksum, payload",
		"clock-drift(1)":           "is too close to a true clock",
		"clock-offset(1ms)":        "is too small to measure",
		"bad-link(loss=100%)":      "must be below 100%",
		"delay(delay=fast)":        `delay: expected a duration such as "50ms", found "fast"`,
		"flapping(every=1ns)":      "every: expected from 50ms to 1m",
		"out-of-memory(room=-1MB)": "room: expected from 8MiB",
	} {
		if _, err := nemesis.ParseChoice(All(), in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseChoice(%q) = %v, want an error with %q", in, err, want)
		}
	}
}
