-- 原稿では 1 文を 1 行に書きます。その改行がページで空白にならないように、
-- 前後のどちらかが日本語の文字（U+3000 以上）のときの改行を取り除きます。
-- A line break next to a Japanese character is no space: 「です。」+「GPU」 too stand together.

local FIRST_WIDE = 0x3000

local function edge(inline, last)
  local text = pandoc.utils.stringify(inline)
  if text == '' then return nil end
  local length = utf8.len(text)
  return utf8.codepoint(text, utf8.offset(text, last and length or 1))
end

function Inlines(inlines)
  for i = #inlines - 1, 2, -1 do
    if inlines[i].t == 'SoftBreak' then
      local before, after = edge(inlines[i - 1], true), edge(inlines[i + 1], false)
      if before and after and (before >= FIRST_WIDE or after >= FIRST_WIDE) then
        inlines:remove(i)
      end
    end
  end
  return inlines
end
