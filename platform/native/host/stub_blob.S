// The stub executable, embedded: libplatform.so starts the zygote from it.
.section .rodata
.globl dv_stub_begin, dv_stub_end
.hidden dv_stub_begin, dv_stub_end
.balign 16
dv_stub_begin:
.incbin "stub"
dv_stub_end:
.section .note.GNU-stack,"",@progbits
