import { BPF_F_TOKEN_FD, BPF_OBJ_NAME_LEN } from '../uapi.js';
import { ATTR, ATTR_SIZE } from './attr.js';
import { type AddressOf, Fields } from './fields.js';
import type { Fd, ProgLoad, TestRun, VerifierLog } from './kernel.js';

export function progLoadAttr(prog: ProgLoad, addressOf: AddressOf): Fields {
  const at = ATTR.progLoad;
  const flags = (prog.flags ?? 0) | (prog.tokenFd === undefined ? 0 : BPF_F_TOKEN_FD);
  const fields = new Fields(ATTR_SIZE, addressOf)
    .u32(at.prog_type, prog.type)
    .u32(at.insn_cnt, prog.insns.length / 8)
    .pointer(at.insns, prog.insns)
    .string(at.license, prog.license)
    .u32(at.kern_version, prog.kernelVersion)
    .u32(at.prog_flags, flags)
    .name(at.prog_name, BPF_OBJ_NAME_LEN, prog.name)
    .u32(at.prog_ifindex, prog.ifindex)
    .u32(at.expected_attach_type, prog.expectedAttachType)
    .u32(at.prog_btf_fd, prog.btfFd)
    .u32(at.attach_btf_id, prog.attachBtfId)
    .u32(at.attach_btf_obj_fd, prog.attachBtfObjFd)
    .u32(at.attach_prog_fd, prog.attachProgFd)
    .u32(at.prog_token_fd, prog.tokenFd);
  if (prog.fdArray !== undefined)
    fields.pointer(
      at.fd_array,
      new Uint8Array(prog.fdArray.buffer, prog.fdArray.byteOffset, prog.fdArray.byteLength),
    );
  if (prog.funcInfo !== undefined && prog.funcInfo.bytes.length > 0) {
    const { recordSize, bytes } = prog.funcInfo;
    fields
      .u32(at.func_info_rec_size, recordSize)
      .pointer(at.func_info, bytes)
      .u32(at.func_info_cnt, bytes.length / recordSize);
  }
  if (prog.lineInfo !== undefined && prog.lineInfo.bytes.length > 0) {
    const { recordSize, bytes } = prog.lineInfo;
    fields
      .u32(at.line_info_rec_size, recordSize)
      .pointer(at.line_info, bytes)
      .u32(at.line_info_cnt, bytes.length / recordSize);
  }
  // Level, size and buffer: all three or none, or the kernel answers EINVAL.
  if (wanted(prog.log)) {
    fields
      .u32(at.log_level, prog.log.level)
      .u32(at.log_size, prog.log.buffer.length)
      .pointer(at.log_buf, prog.log.buffer)
      .upTo(at.log_true_size + 4);
  }
  return fields;
}

/** Bytes of the whole verifier log, 0 from kernels that do not say (before 6.4). */
export function readLogTrueSize(attr: Fields): number {
  return attr.readU32(ATTR.progLoad.log_true_size);
}

export function btfLoadAttr(btf: Uint8Array, log: VerifierLog | undefined, addressOf: AddressOf): Fields {
  const at = ATTR.btfLoad;
  const fields = new Fields(ATTR_SIZE, addressOf).pointer(at.btf, btf).u32(at.btf_size, btf.length);
  if (wanted(log)) {
    fields
      .u32(at.btf_log_level, log.level)
      .u32(at.btf_log_size, log.buffer.length)
      .pointer(at.btf_log_buf, log.buffer);
  }
  return fields;
}

/** Where BPF_PROG_TEST_RUN writes; both may be empty. */
export interface TestBuffers {
  readonly context: Uint8Array;
  readonly dataOut: Uint8Array;
  readonly contextOut: Uint8Array;
}

export function testRunAttr(prog: Fd, run: TestRun, buffers: TestBuffers, addressOf: AddressOf): Fields {
  const at = ATTR.test;
  return new Fields(ATTR_SIZE, addressOf)
    .u32(at.prog_fd, prog)
    .u32(at.data_size_in, run.data?.length)
    .pointer(at.data_in, run.data)
    .u32(at.data_size_out, buffers.dataOut.length)
    .pointer(at.data_out, buffers.dataOut)
    .u32(at.repeat, run.repeat)
    .u32(at.ctx_size_in, buffers.context.length)
    .pointer(at.ctx_in, buffers.context)
    .u32(at.ctx_size_out, buffers.contextOut.length)
    .pointer(at.ctx_out, buffers.contextOut)
    .u32(at.flags, run.flags)
    .u32(at.cpu, run.cpu)
    .u32(at.batch_size, run.batchSize);
}

function wanted(log: VerifierLog | undefined): log is VerifierLog {
  return log !== undefined && log.level > 0 && log.buffer.length > 0;
}
