/** What the engine and the store of models tell, in Simplified Chinese. */

import { bytesText, memoryText } from "../../lib/rate.ts";
import type { During, Whys } from "../../lib/why.ts";

export const zhWhys: Whys = {
  addressWrong: ({ address }) => `${address} 不是模型的地址，地址应以 https:// 开头。`,
  addressMissing: () => "请先填写模型的地址，地址应以 https:// 开头。",
  addressPassword: () => "不使用含有密码的地址。",
  unreachable: ({ host }) => `无法连接 ${host}，请检查地址和网络。`,
  insecure: ({ host }) => `无法连接 ${host}：通过 https 打开的页面只能通过 https 下载模型。`,
  noCors: ({ host }) =>
    `${host} 有响应，但不允许其他页面读取它的文件（CORS）：该网站必须发送 Access-Control-Allow-Origin。`,
  notFound: ({ host, file, status }) => `${host} 在那里没有 ${file}（${status}）。请检查地址，或询问模型的发布者。`,
  notPublic: ({ host, file, status }) => `${host} 不公开提供 ${file}（${status}）。`,
  refused: ({ host, file, status }) => `请求 ${file} 时，${host} 返回了 ${status}，请稍后再试。`,
  silent: ({ seconds }) => `${seconds} 秒内没有收到任何数据，请检查网络后再试。`,
  brokeOff: () => "连接中断，请检查网络后再试。",
  endedEarly: () => "文件没有传完，请再试一次。",
  rangesSometimes: ({ host }) => `${host} 有时才支持分段下载文件。`,
  wholeFilesOnly: () => "该网站只能整个发送文件：中断的文件要从头接收。",

  manifestTooLarge: ({ address }) => `${address} 太大，不可能是模型清单。`,
  manifestRefused: ({ address, reason }) => `${address} 的模型清单无法使用（${reason}）。`,
  hostDamaged: ({ file }) => `${file}：网站发送的内容与模型清单不符（SHA-256），重新请求后仍然如此。`,
  hostSize: ({ file, size }) => `${file}：网站上的文件不是模型清单所说的 ${size} 字节。`,
  noManifest: ({ folder, file }) => `${folder} 里没有 ${file}：请选择转换好的模型的文件夹。`,
  folderLacks: ({ folder, file, manifest }) => `${folder} 里没有 ${manifest} 列出的 ${file}。`,
  folderSize: ({ file, actual, size }) => `${file} 有 ${actual} 字节，应为 ${size} 字节：它不完整，或属于另一个模型。`,

  noRoomFor: ({ needed, free }) =>
    `下载需要 ${bytesText(needed)}，${
      free === undefined ? "超出了浏览器给此页面的空间" : `而浏览器只能给此页面 ${bytesText(free)}`
    }。请删除一个模型，或清理磁盘空间。`,
  noRoom: () => "浏览器没有更多空间给此页面。请删除一个模型，或清理磁盘空间。",
  fileBusy: () => "另一个标签页正在使用这个文件，请关闭它后再试。",
  modelOpen: ({ name }) => `${name} 正打开着：请先打开另一个模型。`,
  modelInOtherTab: ({ name }) => `另一个标签页正在使用 ${name}：请先关闭它。`,
  modelGone: () => "这个模型已经不在这里了。",
  incomplete: ({ name }) => `${name} 还没有下载完：请先继续下载。`,
  deleted: () => "文件在此期间被删除或损坏了，请继续下载这个模型。",
  cut: ({ file }) => `${file} 在浏览器的存储里被截断了，请继续下载。`,
  notNamed: () => "模型清单里没有这个文件。",
  otherModel: () => "在此期间打开了另一个模型。",
  stopped: () => "已停止。",

  storeStopped: ({ reason }) => `页面中保管模型的部分已停止运行${inBrackets(reason)}。请重新载入页面后再试。`,
  engineStopped: ({ reason }) =>
    `页面中负责计算的部分已停止运行${inBrackets(reason)}。请再试一次；如果仍然失败，请重新载入页面。`,
  closed: () => "此 Imagen 已关闭，请重新载入。",
  notDrawn: () => "此页面不画这个提示词，请换一个。",

  startUnreadable: () => "无法读取起始图片，请使用 PNG、JPEG 或 WebP 文件。",
  startScaled: ({ width, height, size }) =>
    `起始图片${width === height ? "" : "裁剪为中间的正方形后"}从 ${width} × ${height} 缩放到了 ${size} × ${size} 像素。`,

  badManifest: ({ reason }) => `模型清单 imagen.json 无法使用（${reason}）。`,
  noFile: ({ name, reason, why }) => `无法打开 ${name}：${why ? store(why) : `${reason}。`}`,
  damagedFile: ({ name }) => `${name} 已损坏或不完整（大小或 SHA-256 不对），请重新下载。`,
  unusableFile: ({ reason }) => `模型文件无法使用（${reason}）。`,
  adapter: ({ name, reason }) => `无法使用 LoRA ${name}（${reason}）。`,
  partMissing: ({ part }) => `模型缺少一个部分（${part}）：请用 “imagen convert” 把它加进同一个文件夹。`,
  promptTooLong: ({ negative, length, max }) =>
    `${negative ? "反向提示词" : "提示词"}有 ${length} 个字符，最多 ${max} 个，请缩短。`,
  noNegativePrompt: () => "此模型的引导不使用文字，请去掉反向提示词。",
  noAdapter: ({ reason }) => `没有找到 GPU（${reason}）。请使用 CPU，或使用支持 WebGPU 的浏览器和驱动程序。`,
  noDevice: ({ reason }) => `GPU 拒绝了此页面（${reason}）。请使用 CPU。`,
  deviceLost: ({ during }) =>
    `GPU 在${doing(during)}时中断，重新建立后又一次中断。请关闭其他使用 GPU 的程序，或使用 CPU。`,
  outOfMemory: ({ during }) => `${doing(during)}时显存不足。请关闭其他标签页和程序，画到较早的级别为止，或使用 CPU。`,
  gpuMemory: ({ budget, needed }) =>
    `${memoryText(budget)} 的显存不够：至少需要 ${memoryText(needed)}。请调高上限，画到较早的级别为止，或使用 CPU。`,
  tooLargeForGpu: ({ needed, available }) =>
    `这个模型需要 ${memoryText(needed)} 的单个缓冲区，这块 GPU 最多 ${memoryText(available)}。请使用较小的尺寸，或使用 CPU。`,
  gpuRejected: ({ reason }) => `GPU 驱动程序拒绝了一项操作（${reason}）。`,
  computation: ({ reason }) => `网络没有给出结果（${reason}）。如果内存不足，请关闭其他程序，或画到较早的级别为止。`,
  cpuAskedFor: () => "这是你指定的。",
  softwareGpu: ({ name }) => `这里只有软件模拟的 GPU（${name}），它更慢。`,
  noGpu: ({ reason }) => `此页面没有可用的 GPU（${reason}）。`,
  promptCut: ({ start, tokens }) => `提示词“${start}……”超过 ${tokens} 个词元，后面的部分被忽略。`,
  noProfile: () => "性能分析记录 GPU 内核的用时，在 CPU 上没有可记录的内容。",
};

function doing(during: During): string {
  return during === "prompt" ? "读提示词" : `画 ${during.stage} × ${during.stage}`;
}

/** The store's own reason. */
function store(why: Parameters<Whys["noFile"]>[0]["why"] & object): string {
  return (zhWhys[why.code] as (given: typeof why) => string)(why);
}

function inBrackets(reason: string): string {
  return reason ? `（${reason}）` : "";
}
