# SPDX-License-Identifier: GPL-2.0-only
# What gdb can do with a guest through QEMU: the program is stepped.c, $kernel an address in the guest's kernel
# that it makes the guest pass in every turn, $count how many results there were before.
set pagination off
set confirm off
set tcp connect-timeout 60
target remote 127.0.0.1:1234

# check CONDITION NAME: one line of TAP. Neither may hold a blank.
define check
  set $count = $count + 1
  if $arg0
    printf "ok %d $arg1\n", $count
  else
    printf "not ok %d $arg1\n", $count
    info registers rip rsp rax rcx eflags cs
  end
end

# Hardware breakpoint, in the program whatever runs now; its registers and memory are there.
hbreak *steps
continue
check $pc==(long)&steps hardware-breakpoint
check ($cs&3)==3 in-user-mode
check secret==0x5eed000000001234 memory-by-virtual-address
check *(unsigned*)$pc==0x000005b8 code-by-virtual-address
set $return=*(long*)$rsp

# One instruction after the other: registers, stack, return.
set $stack=$rsp
stepi
check $pc==(long)&steps_add&&$rax==5 step-mov
stepi
check $pc==(long)&steps_mul&&$rax==7 step-add
stepi
check $pc==(long)&steps_push&&$rax==21 step-imul
stepi
check $pc==(long)&steps_pop&&$rsp==$stack-8&&*(long*)$rsp==21 step-push
stepi
check $pc==(long)&steps_ret&&$rsp==$stack&&$rcx==21 step-pop
stepi
check $pc==$return&&$rsp==$stack+8 step-ret

# The hardware breakpoint again, every turn.
set $before=turns
continue
check turns==$before+1&&$pc==(long)&steps hardware-breakpoint-again
continue 10
check turns==$before+11 hardware-breakpoint-ten-times
delete

# Software breakpoint: an INT3 that the program does not see and gdb does not show.
break *steps_mul
continue
check $pc==(long)&steps_mul&&$rax==7 software-breakpoint
check *(unsigned*)$pc==0x5003c06b software-breakpoint-hidden
set $before=turns
continue 10
check turns==$before+10&&$pc==(long)&steps_mul software-breakpoint-ten-times
stepi
check $pc==(long)&steps_push&&$rax==21 step-off-software-breakpoint
delete

# Registers and memory can be changed.
break *steps_ret
continue
set var told=4242
set $rcx=22
set $pc=(long)&steps_mul
set $rax=7
delete
break *steps_ret
stepi
check $pc==(long)&steps_push&&$rax==21 set-registers
delete

# Watchpoints: the store is done when it stops, and it stops at every store.
set $before=turns
watch written
continue
check written==turns*3 watchpoint-write
set $before=turns
continue
check turns==$before+1&&written==turns*3 watchpoint-write-again
delete
rwatch read_only
set $before=turns
continue
check turns==$before+1||turns==$before watchpoint-read
continue
check turns>$before watchpoint-read-again
delete

# Four at once, of both kinds, and one of them in the kernel.
hbreak *steps
hbreak *steps_pop
watch written
hbreak *$kernel
continue
set $first=$pc
continue
set $second=$pc
continue
set $third=$pc
continue
set $fourth=$pc
check ($first==$kernel)+($second==$kernel)+($third==$kernel)+($fourth==$kernel)==1 four-at-once-kernel
check ($first==(long)&steps)+($second==(long)&steps)+($third==(long)&steps)+($fourth==(long)&steps)==1 four-at-once-steps
check ($first==(long)&steps_pop)+($second==(long)&steps_pop)+($third==(long)&steps_pop)+($fourth==(long)&steps_pop)==1 four-at-once-pop
delete

# The kernel: its breakpoints and its steps.
hbreak *$kernel
continue
check $pc==$kernel&&($cs&3)==0 hardware-breakpoint-in-kernel
delete
stepi
check $pc!=$kernel&&($cs&3)==0 step-in-kernel
break *$kernel
continue
check $pc==$kernel&&($cs&3)==0 software-breakpoint-in-kernel
stepi
stepi
check ($cs&3)==0 steps-in-kernel
delete

# Back in the program, to tell it that it is enough.
hbreak *steps
continue
delete
set var enough=1
printf "gdb: %d\n", $count
detach
