package kv

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkRoundTrip measures client, protocol and server against a consensus
// that answers at once, with several callers on one connection.
func BenchmarkRoundTrip(b *testing.B) {
	server, err := StartStandalone("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	value := strings.Repeat("v", 64)
	for _, callers := range []int{1, 10, 100} {
		client, err := Dialer{Timeout: 5 * time.Second}.Dial(context.Background(), server.Addr())
		if err != nil {
			b.Fatal(err)
		}
		run := func(name string, op func(key string) error) {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) {
				b.ReportAllocs()
				spread(b, callers, op)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
			})
		}
		run("put", func(key string) error { return client.Put(context.Background(), key, value) })
		run("get", func(key string) error {
			_, _, err := client.Get(context.Background(), key)
			return err
		})
		client.Close()
	}
}

// spread runs b.N operations on as many goroutines as there are callers.
func spread(b *testing.B, callers int, op func(key string) error) {
	b.Helper()
	var wg sync.WaitGroup
	for i := range callers {
		share := b.N / callers
		if i < b.N%callers {
			share++
		}
		key := "key-" + strconv.Itoa(i)
		wg.Go(func() {
			for range share {
				if err := op(key); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkApplyPut(b *testing.B) {
	for _, keys := range []int{1_000, 1_000_000} {
		m := filled(keys)
		command := appendCommand(nil, OpPut, "key-17", Value{}, strings.Repeat("v", 64))
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Apply(1, command)
			}
		})
		// What a write waits for at worst: the copy of its shard.
		b.Run(fmt.Sprintf("first-after-snapshot/keys=%d", keys), func(b *testing.B) {
			for b.Loop() {
				if _, err := m.Snapshot(); err != nil {
					b.Fatal(err)
				}
				m.Apply(1, command)
			}
		})
	}
}

func filled(keys int) *Machine {
	m := NewMachine()
	for i := range keys {
		m.Apply(1, appendCommand(nil, OpPut, "key-"+strconv.Itoa(i), Value{}, "value-"+strconv.Itoa(i)))
	}
	return m
}

// BenchmarkCluster measures three nodes in one process, with their disks, and
// clients on every one of them.
func BenchmarkCluster(b *testing.B) {
	c := startCluster(b, 3, nil)
	lead := c.leader()
	value := strings.Repeat("v", 64)
	for _, at := range []struct {
		name string
		node int
	}{{"leader", lead}, {"follower", (lead + 1) % 3}} {
		client := dialServer(b, c.servers[at.node].ClientAddr(), 10*time.Second)
		if err := client.Put(context.Background(), "warm", value); err != nil {
			b.Fatal(err)
		}
		for _, callers := range []int{1, 10, 100} {
			run := func(name string, op func(key string) error) {
				b.Run(fmt.Sprintf("%s/%s/callers=%d", name, at.name, callers), func(b *testing.B) {
					spread(b, callers, op)
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
				})
			}
			run("put", func(key string) error { return client.Put(context.Background(), key, value) })
			run("get", func(key string) error {
				_, _, err := client.Get(context.Background(), key)
				return err
			})
		}
	}
}

// BenchmarkFrame measures what a frame costs around its body: header, checksums,
// and the check on the other side.
func BenchmarkFrame(b *testing.B) {
	for _, size := range []int{16, 64, 1 << 10, 64 << 10, 1 << 20} {
		body := []byte(strings.Repeat("v", size))
		buf := make([]byte, 0, clientHeader+size)
		b.Run(fmt.Sprintf("body=%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				frame := endFrame(append(beginFrame(buf[:0], 1), body...), 0)
				_, _, sum, err := openClientHeader(frame[:clientHeader])
				if err != nil || checkSum("body", frame[clientHeader:], sum) != nil {
					b.Fatal("a frame does not fit its own checksum")
				}
			}
		})
	}
}
