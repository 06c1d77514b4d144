// Package disk knows what a power cut may leave of a directory tree.
//
// An Op is one thing that a program did to the tree: it wrote, renamed,
// synced. A journal is all of them in their order, with the machines' clock. A
// Model follows them and keeps two states: what was written, and what was
// synced and therefore survives. What lies between them is pending. An Image
// is one of the states that a power cut at this moment may leave:
// all that was synced, and as much of what is pending as a Choice keeps.
//
// What counts as synced:
//
//   - the data and the length of a file: by fsync or fdatasync of it, or when it
//     was written with O_SYNC or O_DSYNC; sync_file_range does not count;
//   - a name: by fsync of its directory (Strict), or by any fsync after it
//     (Journaled);
//   - everything, by syncfs and sync.
//
// A rename is one change: it survives as a whole or not at all. Modes, owners,
// times and extended attributes are taken to survive.
//
// There is no file system in this package and nothing of Linux: the agent
// applies it to a directory, and squall applies it to the journals of a test that is over.
package disk
