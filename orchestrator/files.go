package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"squall/internal/declare"
	"squall/nodeimage"
	"squall/nodeimage/files"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
	"squall/workloads/systems"
)

// machineFiles are the files that a system wants in machines.
type machineFiles struct{ servers, clients []files.File }

// filesOf are the files that a system wants.
func filesOf(ctx context.Context, system systems.System, a declare.Args, arch string) (want machineFiles, err error) {
	if provider, ok := systems.As[systems.FileProvider](system); ok {
		if want.servers, err = provider.Files(ctx, arch, a); err != nil {
			return want, blameFiles(fmt.Errorf("the files of %s: %w", system.Name(), err))
		}
	}
	if programmer, ok := systems.As[systems.ClientProgrammer](system); ok {
		if want.clients, err = programmer.ClientFiles(ctx, arch, a); err != nil {
			return want, blameFiles(fmt.Errorf("the files of the clients of %s: %w", system.Name(), err))
		}
	}
	return want, nil
}

// checkFiles refuses files that the machines cannot hold or use, and a server or a
// client program that is not among them, in a cluster of that many nodes. It takes none.
func checkFiles(ctx context.Context, system systems.System, a declare.Args, nodes int, arch string) error {
	want, err := filesOf(ctx, system, a, arch)
	if err != nil {
		return err
	}
	for _, list := range [][]files.File{want.servers, want.clients} {
		if err := files.Check(list, arch); err != nil {
			return blameFiles(err)
		}
		if err := canMake(list, arch); err != nil {
			return blameFiles(err)
		}
	}
	return checkPrograms(system, a, nodes, want)
}

// checkPrograms refuses a program that no machine would hold, and a cluster that the system
// does not take.
func checkPrograms(system systems.System, a declare.Args, nodes int, want machineFiles) error {
	var cluster systems.Cluster
	for i := range nodes {
		cluster.Nodes = append(cluster.Nodes, systems.Node{ID: i + 1, Name: "n" + strconv.Itoa(i+1), Addr: machines.MachineAddr(netip.MustParsePrefix(machines.NetworkPool), i)})
	}
	start, err := system.Server(cluster.Nodes[0], cluster, a)
	if err != nil {
		return &testplan.FieldError{Option: "system", Err: fmt.Errorf("the servers of %s: %w", system.Name(), err)}
	}
	if err := amongFiles("server", "Files", system, start.Argv, want.servers); err != nil {
		return err
	}
	if programmer, ok := systems.As[systems.ClientProgrammer](system); ok {
		return amongFiles("client program", "ClientFiles", system, programmer.ClientProgram(a).Argv, want.clients)
	}
	return nil
}

func amongFiles(what, method string, system systems.System, argv []string, list []files.File) error {
	if len(argv) == 0 {
		return &testplan.FieldError{Option: "system", Err: fmt.Errorf("%s does not say which program its %s is", system.Name(), what)}
	}
	is := func(f files.File) bool { return f.Path == argv[0] }
	switch i := slices.IndexFunc(list, is); {
	case argv[0] == nodeimage.BinaryPath:
	case i < 0:
		return &testplan.FieldError{Option: "system", Err: fmt.Errorf("the %s of %s is %s, and its machine has no such file: %s must list it", what, system.Name(), argv[0], method)}
	case !list[i].Exec:
		return &testplan.FieldError{Option: "system", Err: fmt.Errorf("the %s of %s is %s, which its machine cannot run: %s must list it with Exec", what, system.Name(), argv[0], method)}
	}
	return nil
}

// machineSets are files that were taken for machines; nil: there are none.
type machineSets struct{ servers, clients *files.Set }

// bytes is how much the machines have to be sent.
func (s machineSets) bytes() int64 { return s.servers.Bytes() + s.clients.Bytes() }

// takeFiles takes the files of a system for its machines, and makes before what has to
// be made.
func takeFiles(ctx context.Context, system systems.System, a declare.Args, from origins) (sets machineSets, err error) {
	want, err := filesOf(ctx, system, a, from.arch)
	if err != nil || len(want.servers)+len(want.clients) == 0 {
		return sets, err
	}
	store, err := nodeimage.Files()
	if err != nil {
		return sets, err
	}
	for _, list := range []*[]files.File{&want.servers, &want.clients} {
		if *list, err = from.resolve(ctx, *list); err != nil {
			return sets, blameFiles(err)
		}
	}
	from.progress.Phase("taking the files of " + system.Name())
	for _, of := range []struct {
		list []files.File
		set  **files.Set
	}{{want.servers, &sets.servers}, {want.clients, &sets.clients}} {
		if len(of.list) == 0 {
			continue
		}
		if *of.set, err = store.Take(ctx, of.list, from.arch); err != nil {
			return sets, blameFiles(err)
		}
	}
	return sets, nil
}

// blameFiles says that the setting is to blame where a file of the system is.
func blameFiles(err error) error {
	var refused *files.Error
	if errors.As(err, &refused) {
		return &testplan.FieldError{Option: "system", Err: err}
	}
	return err
}
