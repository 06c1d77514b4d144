package orchestrator

import (
	"context"
	"errors"
	"fmt"

	"squall/internal/declare"
	"squall/nodeimage"
	"squall/nodeimage/files"
	"squall/workloads/systems"
)

// serverFiles are the files that a system wants in the machines of its servers.
func serverFiles(ctx context.Context, system systems.System, a declare.Args, arch string) ([]files.File, error) {
	provider, ok := system.(systems.FileProvider)
	if !ok {
		return nil, nil
	}
	list, err := provider.Files(ctx, arch, a)
	if err != nil {
		return nil, blameFiles(fmt.Errorf("the files of %s: %w", system.Name(), err))
	}
	return list, nil
}

// checkFiles refuses files that the machines cannot hold or use. It takes none.
func checkFiles(ctx context.Context, system systems.System, a declare.Args, arch string) error {
	list, err := serverFiles(ctx, system, a, arch)
	if err != nil {
		return err
	}
	return blameFiles(files.Check(list, arch))
}

// takeFiles takes the files of a system for its machines; nil: it has none.
func takeFiles(ctx context.Context, system systems.System, a declare.Args, arch string, progress Progress) (*files.Set, error) {
	list, err := serverFiles(ctx, system, a, arch)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	progress.Phase("taking the files of " + system.Name())
	store, err := nodeimage.Files()
	if err != nil {
		return nil, err
	}
	set, err := store.Take(ctx, list, arch)
	return set, blameFiles(err)
}

// blameFiles says that the setting is to blame where a file of the system is.
func blameFiles(err error) error {
	var refused *files.Error
	if errors.As(err, &refused) {
		return &FieldError{"system", err}
	}
	return err
}
