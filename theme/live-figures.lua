-- 予想（.hayasa-guess）や、見積り器の要らない動く図（.hayasa-live）のあるページに、それぞれのスクリプトを置きます。
-- Both engines run this: Quarto says itself which file it renders, press says so in the metadata.

local PLACES = {'hayasa-guess', 'hayasa-live'}

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

function Pandoc(doc)
  if quarto and not quarto.doc.is_format('html') then return nil end
  local found = {}
  doc.blocks:walk({Div = function(div)
    for _, class in ipairs(div.classes) do found[class] = true end
  end})
  local source = quarto and quarto.doc.input_file or pandoc.utils.stringify(doc.meta['input-file'] or '')
  local web = exists(pandoc.path.join({pandoc.path.directory(source), '_quarto.yml'})) and 'web/' or '../web/'
  local scripts = ''
  for _, class in ipairs(PLACES) do
    if found[class] then scripts = scripts .. '\n<script defer src="' .. web .. class .. '.js"></script>' end
  end
  if scripts == '' then return nil end
  local first = doc.blocks[1]
  local below = first and first.t == 'Header' and first.level == 1
  doc.blocks:insert(below and 2 or 1, pandoc.RawBlock('html', '<link rel="stylesheet" href="' .. web .. 'hayasa.css">' .. scripts))
  return doc
end
