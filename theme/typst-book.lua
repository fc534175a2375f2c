-- Quarto の typst（一冊の PDF）のための直しです。ほかの形式と press では何もしません。
-- Quarto's template heads a page with "章 15. 用語集": with the prefix of references, and over a page without a
-- number with that of the chapter before it, by which it numbers the tables there, too.  Long tables and names of
-- code do not break.

if not quarto or not quarto.doc.is_format('typst') then return {} end

local START = [[
#show heading.where(level: 1): set heading(supplement: none)
#show figure.where(kind: "quarto-float-tbl"): set block(breakable: true)
#set figure(numbering: number => {
  let chapter = counter(heading).get().first()
  if chapter > 0 { numbering("1.1", chapter, number) } else { numbering("1", number) }
})
]]

local function breaking(code)
  code.text = code.text:gsub('_', '_\u{200B}')
  return code
end

function Table(el)
  return el:walk({Code = breaking})
end

function Pandoc(doc)
  local chapters, counted = 0, true
  local blocks = pandoc.List({pandoc.RawBlock('typst', START)})
  for _, block in ipairs(doc.blocks) do
    if block.t == 'Div' and pandoc.utils.stringify(block) == quarto.doc.language['section-title-appendices'] then
      counted = false  -- the template begins anew there
    elseif counted and block.t == 'Header' and block.level == 1 then
      local plain = block.classes:includes('unnumbered')
      blocks:insert(pandoc.RawBlock('typst', ('#counter(heading).update(%d)'):format(plain and 0 or chapters)))
      chapters = chapters + (plain and 0 or 1)
    end
    blocks:insert(block)
  end
  doc.blocks = blocks
  return doc
end
