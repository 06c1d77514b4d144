package files

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// processor is what the header of a program says of the processor that it is for.
type processor struct {
	machine elf.Machine
	class   elf.Class
	data    elf.Data
}

// processors are those that Go and Linux know, by Go's names.
func processors() map[string]processor {
	return map[string]processor{
		"386":      {elf.EM_386, elf.ELFCLASS32, elf.ELFDATA2LSB},
		"amd64":    {elf.EM_X86_64, elf.ELFCLASS64, elf.ELFDATA2LSB},
		"arm":      {elf.EM_ARM, elf.ELFCLASS32, elf.ELFDATA2LSB},
		"arm64":    {elf.EM_AARCH64, elf.ELFCLASS64, elf.ELFDATA2LSB},
		"loong64":  {elf.EM_LOONGARCH, elf.ELFCLASS64, elf.ELFDATA2LSB},
		"mips64":   {elf.EM_MIPS, elf.ELFCLASS64, elf.ELFDATA2MSB},
		"mips64le": {elf.EM_MIPS, elf.ELFCLASS64, elf.ELFDATA2LSB},
		"ppc64":    {elf.EM_PPC64, elf.ELFCLASS64, elf.ELFDATA2MSB},
		"ppc64le":  {elf.EM_PPC64, elf.ELFCLASS64, elf.ELFDATA2LSB},
		"riscv64":  {elf.EM_RISCV, elf.ELFCLASS64, elf.ELFDATA2LSB},
		"s390x":    {elf.EM_S390, elf.ELFCLASS64, elf.ELFDATA2MSB},
	}
}

func (p processor) String() string {
	for arch, known := range processors() {
		if p == known {
			return arch
		}
	}
	bits := map[elf.Class]string{elf.ELFCLASS32: "32", elf.ELFCLASS64: "64"}[p.class]
	return fmt.Sprintf("%s with %s-bit addresses", strings.TrimPrefix(p.machine.String(), "EM_"), bits)
}

// canRun refuses a program that could not run in a machine with this processor
// which holds these files and no others.
func canRun(f File, list []File, src *io.SectionReader, arch string) error {
	head := make([]byte, 256)
	n, err := src.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return refuse(f, "it cannot be read: %w", err)
	}
	head = head[:n]
	switch {
	case n == 0:
		return refuse(f, "it is to be run, but is empty: build it again")
	case bytes.HasPrefix(head, []byte("#!")):
		return scriptCanRun(f, list, head)
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		return elfCanRun(f, list, src, arch)
	case bytes.HasPrefix(head, []byte("MZ")):
		return refuse(f, "it is a program for Windows, but the machines are linux/%s: %s", arch, buildFor(arch))
	case isMacho(head):
		return refuse(f, "it is a program for macOS, but the machines are linux/%s: %s", arch, buildFor(arch))
	}
	return refuse(f, "it is to be run, but is neither a program for Linux (ELF) nor a script that begins with #!: name the program itself, or do not have it run")
}

// isMacho knows the programs of macOS: for either order of bytes, 32 and 64 bits,
// and for several processors at once.
func isMacho(head []byte) bool {
	return slices.ContainsFunc([]string{"\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe"},
		func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) })
}

func buildFor(arch string) string {
	return fmt.Sprintf("build it for that (Go: CGO_ENABLED=0 GOOS=linux GOARCH=%s)", arch)
}

// scriptCanRun refuses a script whose interpreter the machine lacks.
func scriptCanRun(f File, list []File, head []byte) error {
	line, _, _ := bytes.Cut(head[2:], []byte("\n"))
	// As the kernel does; a \r at the end is a part of the name.
	words := strings.FieldsFunc(string(line), func(r rune) bool { return r == ' ' || r == '\t' || r == 0 })
	if len(words) == 0 {
		return refuse(f, "it is a script that names no interpreter after #!: name one that is among the files of the machine")
	}
	if runs(list, words[0]) {
		return nil
	}
	return refuse(f, "it is a script for %q, which a machine does not have: add that, linked statically (a shell: busybox), to the files of the machine as one that is run, "+
		"or name a program that needs none", words[0])
}

// runs reports whether a machine has such a file to run.
func runs(list []File, at string) bool {
	return slices.ContainsFunc(list, func(f File) bool { return f.Path == at && f.Exec })
}

// elfCanRun refuses a program that is not for Linux on this processor, is not
// whole, or needs what the machine lacks.
func elfCanRun(f File, list []File, src *io.SectionReader, arch string) error {
	program, err := elf.NewFile(src)
	if err != nil {
		return refuse(f, "it begins as a program for Linux, but is damaged (%w): build it again, or fetch it again", err)
	}
	defer program.Close()
	is := processor{program.Machine, program.Class, program.Data}
	switch want, known := processors()[arch]; {
	case known && is != want:
		return refuse(f, "it is a program for %v, but the machines are linux/%s: %s", is, arch, buildFor(arch))
	case program.OSABI != elf.ELFOSABI_NONE && program.OSABI != elf.ELFOSABI_LINUX:
		return refuse(f, "it is a program for %s, but the machines are linux/%s: %s", strings.TrimPrefix(program.OSABI.String(), "ELFOSABI_"), arch, buildFor(arch))
	case program.Type != elf.ET_EXEC && program.Type != elf.ET_DYN || program.Entry == 0:
		return refuse(f, "it is to be run, but is a library or a part of a program: name the program itself, or do not have it run")
	}
	interpreter := ""
	for _, p := range program.Progs {
		if p.Type != elf.PT_LOAD && p.Type != elf.PT_INTERP {
			continue
		}
		if size := uint64(src.Size()); p.Off > size || p.Filesz > size-p.Off {
			return refuse(f, "its end is missing: build it again, or fetch it again")
		}
		if p.Type == elf.PT_INTERP {
			name, err := io.ReadAll(io.LimitReader(p.Open(), maxPath))
			if err != nil {
				return refuse(f, "it cannot be read: %w", err)
			}
			interpreter = strings.TrimRight(string(name), "\x00")
		}
	}
	if interpreter == "" {
		return nil
	}
	return librariesThere(f, list, program, interpreter, arch)
}

// librariesThere refuses a program whose dynamic linker, or what that is to
// link, is not among the files of the machine.
func librariesThere(f File, list []File, program *elf.File, linker, arch string) error {
	needed, err := program.ImportedLibraries()
	if err != nil {
		return refuse(f, "what it is linked with cannot be read (%w): build it again", err)
	}
	if !runs(list, linker) {
		needed = append([]string{linker}, needed...)
		return refuse(f, "it is linked dynamically, and a machine has no libraries (it needs %s): link it statically (%s)", strings.Join(needed, ", "), statically(arch))
	}
	missing := slices.DeleteFunc(needed, func(library string) bool {
		// musl's linker is its C library, too, by whatever name.
		if strings.Contains(linker, "ld-musl-") && strings.HasPrefix(library, "libc.") {
			return true
		}
		return slices.ContainsFunc(list, func(f File) bool { return path.Base(f.Path) == library })
	})
	if len(missing) > 0 {
		return refuse(f, "it is linked dynamically, and the machine lacks %s: add that to its files, or link it statically (%s)", strings.Join(missing, ", "), statically(arch))
	}
	return nil
}

// statically says how to link a program statically.
func statically(arch string) string {
	rust := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]
	if rust == "" {
		return "Go: CGO_ENABLED=0; C: -static"
	}
	return fmt.Sprintf("Go: CGO_ENABLED=0; Rust: --target %s-unknown-linux-musl; C: -static", rust)
}
