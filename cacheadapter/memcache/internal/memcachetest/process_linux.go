package memcachetest

import (
	"os/exec"
	"syscall"
)

// endWithParent makes the kernel kill the process when this one dies, however
// that happens.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
