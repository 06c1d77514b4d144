package custom

import (
	"net/netip"
	"strings"
	"testing"

	"squall/workloads/systems"
)

// TestJoining: a node that joins a cluster is told of its members, and is never started
// as the one that makes the cluster.
func TestJoining(t *testing.T) {
	cluster := systems.Cluster{}
	for i, name := range []string{"n1", "n2", "n3"} {
		cluster.Nodes = append(cluster.Nodes, systems.Node{ID: i + 1, Name: name, Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})})
	}
	joining := cluster
	joining.Joining = []systems.Node{cluster.Nodes[0], cluster.Nodes[2]}
	const plain, first, join = "/opt/store -peers ${peers}", "/opt/store -bootstrap", "/opt/store -join ${first.addr} -of ${nodes} -others ${others}"
	for _, tt := range []struct {
		join    bool // the description has a command for that
		node    int
		cluster systems.Cluster
		want    string
	}{
		{true, 0, cluster, "/opt/store -bootstrap"},
		{true, 2, cluster, "/opt/store -peers 1=10.0.0.1,2=10.0.0.2,3=10.0.0.3"},
		{true, 0, joining, "/opt/store -join 10.0.0.3 -of 2 -others 3=10.0.0.3"},
		{true, 2, joining, "/opt/store -join 10.0.0.1 -of 2 -others 1=10.0.0.1"},
		{false, 0, joining, "/opt/store -peers 1=10.0.0.1,3=10.0.0.3"},
	} {
		s, err := New(described(1, func(d *Definition) {
			d.Server.Command, d.Server.First = strings.Fields(plain), strings.Fields(first)
			if tt.join {
				d.Server.Join = strings.Fields(join)
			}
		}), Run{})
		if err != nil {
			t.Fatal(err)
		}
		start, err := s.Server(tt.cluster.Nodes[tt.node], tt.cluster, nil)
		if got := strings.Join(start.Argv, " "); err != nil || got != tt.want {
			t.Errorf("n%d, joining %v: %s, %v, want %s", tt.node+1, tt.cluster.Joining != nil, got, err, tt.want)
		}
	}
}

// TestWhatAProgramServes: the description of a client program says what it can be asked.
func TestWhatAProgramServes(t *testing.T) {
	for _, all := range []bool{false, true} {
		s, err := New(described(1, func(d *Definition) {
			d.Client = Client{Program: &Program{Command: []string{"/opt/client"}, Workloads: []string{"register"}, Leader: all, Members: all, Replicas: all}}
		}), Run{})
		if err != nil {
			t.Fatal(err)
		}
		if systems.TellsLeader(s) != all || systems.ChangesMembers(s) != all || systems.TellsReplicas(s) != all {
			t.Errorf("declared %v: leader %v, members %v, replicas %v", all, systems.TellsLeader(s), systems.ChangesMembers(s), systems.TellsReplicas(s))
		}
	}
}
