package orchestrator

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"squall/internal/machinetest"
	"squall/nodeimage"
	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/files"
	"squall/orchestrator/testplan"
	"squall/workloads/catalogue"
	"squall/workloads/systems"
)

// besideFor is how long a load lasts, either way.
const besideFor = 10 * time.Second

// BenchmarkEtcdBeside drives etcd in turn by squall, with everything recorded, and by
// etcd's own benchmark, which counts; raftkv by squall, too. Each time there is a new
// cluster of three nodes in a network of namespaces, and the clients are in a machine of
// their own; all clients write small values over one connection to each node.
//
//	SQUALL_TEST=whole go test ./orchestrator -run '^$' -bench EtcdBeside -benchtime 3x
func BenchmarkEtcdBeside(b *testing.B) {
	if !machinetest.Whole() {
		b.Skip("only with SQUALL_TEST=whole: it builds etcd and its benchmark, and takes minutes")
	}
	h := opened(b, hosts()["local"])
	for _, clients := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(clients, "-clients"), func(b *testing.B) {
			rates := map[string][]float64{}
			note := func(who string, rate float64) { rates[who] = append(rates[who], rate) }
			for b.Loop() {
				rate := drivenBySquall(b, h, "etcd", clients)
				note("etcd-by-squall", rate)
				note("etcd-by-its-own", drivenByItsOwn(b, h, clients, int(rate*besideFor.Seconds())))
				note("raftkv-by-squall", drivenBySquall(b, h, "raftkv", clients))
			}
			middle := func(who string) float64 {
				slices.Sort(rates[who])
				return rates[who][len(rates[who])/2]
			}
			for who, all := range rates {
				b.Logf("%d clients: %s %.0f puts/s", clients, who, all)
				b.ReportMetric(middle(who), who+"/s")
			}
			b.ReportMetric(middle("etcd-by-squall")/middle("etcd-by-its-own"), "of-its-own")
			b.ReportMetric(middle("raftkv-by-squall")/middle("etcd-by-squall"), "times-etcd")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// drivenBySquall is how many writes a second squall gets answered.
func drivenBySquall(b *testing.B, h testHost, system string, clients int) float64 {
	b.Helper()
	test := testplan.DefaultTest()
	test.Out, test.Seed, test.Nodes, test.Clients, test.Time, test.Nemesis = b.TempDir(), 1, 3, clients, testplan.Duration(besideFor), "none"
	for option, value := range map[string]string{"system": system, "workload": "register(keys=1000, mix=1/1000/0, look-back=0%)"} {
		o, _ := testplan.FindOption(option)
		if err := o.Set(&test, value); err != nil {
			b.Fatal(err)
		}
	}
	plan, err := testplan.NewPlan(test, "bench", "squall")
	if err != nil {
		b.Fatal(err)
	}
	outcome, err := Run(b.Context(), plan, Config{Version: "bench", Runtime: h, Progress: quiet{},
		Build: func(ctx context.Context, arch, mutant string) (nodeimage.Binary, error) {
			return nodeimage.Build(ctx, nodeimage.BuildOptions{Arch: arch})
		}})
	if err != nil {
		b.Fatal(err)
	}
	ops := outcome.Results.Ops
	if ops.Fail+ops.Info > 0 {
		b.Logf("%s: %d failed, %d unknown", system, ops.Fail, ops.Info)
	}
	return ops.Throughput
}

// drivenByItsOwn is how many writes a second etcd's own benchmark counts.
func drivenByItsOwn(b *testing.B, h testHost, clients, total int) float64 {
	b.Helper()
	const tool = "/opt/benchmark"
	system, err := catalogue.FindSystem("etcd")
	if err != nil {
		b.Fatal(err)
	}
	args := system.Params().Fill(nil, nil)
	servers, err := system.(systems.FileProvider).Files(b.Context(), runtime.GOARCH, args)
	if err != nil {
		b.Fatal(err)
	}
	names := []string{"n1", "n2", "n3"}
	s := spec(b, h, append(names, "driver")...)
	serverSet := made(b, h, servers[0])
	toolSet := made(b, h, files.File{Path: tool, Exec: true, Build: &files.Build{Name: "etcd's benchmark", Package: "go.etcd.io/etcd/v3/tools/benchmark",
		Requires: []files.Module{{Path: "go.etcd.io/etcd/v3", Version: "v3.6.8"}}}})
	for i := range s.Machines {
		s.Machines[i].Files = serverSet
	}
	s.Machines[len(names)].Files = toolSet
	cluster, err := h.Up(b.Context(), s)
	if err != nil {
		b.Fatal(err)
	}
	defer cluster.Down(context.Background())
	var members systems.Cluster
	var endpoints []string
	for i, name := range names {
		node := systems.Node{ID: i + 1, Name: name, Addr: cluster.Machine(name).Addr()}
		members.Nodes = append(members.Nodes, node)
		endpoints = append(endpoints, netip.AddrPortFrom(node.Addr, 2379).String())
	}
	for _, node := range members.Nodes {
		start, err := system.Server(node, members, args)
		if err != nil {
			b.Fatal(err)
		}
		agent, _ := command(b, cluster.Machine(node.Name))
		if _, err := agent.Start(b.Context(), protocol.StartSpec{Argv: start.Argv, Dir: nodeimage.DataDir}); err != nil {
			b.Fatal(err)
		}
	}
	t := benchmark{b: b, argv: []string{tool, "put", "--endpoints", strings.Join(endpoints, ","), "--key-space-size", "1000"}}
	t.agent, t.out = command(b, cluster.Machine("driver"))
	for !strings.Contains(t.put(1, 10), "Requests/sec") { // until a leader is there
	}
	text := t.put(clients, total)
	match := regexp.MustCompile(`Requests/sec:\s*([0-9.]+)`).FindStringSubmatch(text)
	if match == nil {
		b.Fatalf("etcd's benchmark says %s", text)
	}
	rate, err := strconv.ParseFloat(match[1], 64)
	if err != nil {
		b.Fatal(err)
	}
	return rate
}

// benchmark is etcd's own, in a machine.
type benchmark struct {
	b     *testing.B
	argv  []string
	agent *protocol.Client
	out   *machineSink
}

// put puts so many values by so many clients, over a connection to each node, and
// returns what the benchmark prints.
func (t *benchmark) put(clients, total int) string {
	before, ended := len(t.out.text()), t.exits()
	argv := append(slices.Clone(t.argv), "--conns", fmt.Sprint(min(clients, 3)), "--clients", fmt.Sprint(clients), "--total", fmt.Sprint(total))
	if _, err := t.agent.Start(t.b.Context(), protocol.StartSpec{Argv: argv, Dir: nodeimage.DataDir}); err != nil {
		t.b.Fatal(err)
	}
	for t.exits() == ended {
		time.Sleep(5 * time.Millisecond)
	}
	return t.out.text()[before:]
}

func (t *benchmark) exits() (n int) {
	for _, kind := range t.out.kinds() {
		if strings.HasPrefix(kind, protocol.EventExit) {
			n++
		}
	}
	return n
}

// made is a set of one file that is built, for machines of h.
func made(b *testing.B, h testHost, f files.File) *files.Set {
	b.Helper()
	builder, err := nodeimage.Programs()
	if err != nil {
		b.Fatal(err)
	}
	if f.Source, err = builder.Make(b.Context(), f.Build, runtime.GOARCH, func() { b.Log("building " + f.Build.Name) }); err != nil {
		b.Fatal(err)
	}
	f.Build = nil
	store, err := nodeimage.Files()
	if err != nil {
		b.Fatal(err)
	}
	set, err := store.Take(b.Context(), []files.File{f}, runtime.GOARCH)
	if err != nil {
		b.Fatal(err)
	}
	return set
}
