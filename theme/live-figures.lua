-- 予想（.hayasa-guess）や動く図（.hayasa-live と、見積り器の要る .hayasa-figure）のあるページに、スクリプトを置きます。
-- Both engines run this: Quarto says itself which file it renders, press says so in the metadata.

local PLACES = {['hayasa-guess'] = true, ['hayasa-live'] = true, ['hayasa-figure'] = true}

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

function Pandoc(doc)
  if quarto and not quarto.doc.is_format('html') then return nil end
  local found = false
  doc.blocks:walk({Div = function(div)
    for _, class in ipairs(div.classes) do found = found or PLACES[class] end
  end})
  if not found then return nil end
  local source = quarto and quarto.doc.input_file or pandoc.utils.stringify(doc.meta['input-file'] or '')
  local web = exists(pandoc.path.join({pandoc.path.directory(source), '_quarto.yml'})) and 'web/' or '../web/'
  local machinery = '<link rel="stylesheet" href="' .. web .. 'hayasa.css">\n<script defer src="' .. web .. 'hayasa-chapter.js"></script>'
  local first = doc.blocks[1]
  local below = first and first.t == 'Header' and first.level == 1
  doc.blocks:insert(below and 2 or 1, pandoc.RawBlock('html', machinery))
  return doc
end
