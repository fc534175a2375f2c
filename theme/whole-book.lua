-- 最初のページに、make pdf と make epub で作ったものがあれば、そこへの道を置きます。
-- Both engines run this: press says in the metadata which there are, for Quarto this looks itself.

local FILES = {
  {name = 'book.pdf', text = 'この本をPDFで読む', as = 'LLMの推論はなぜこの速さなのか.pdf'},
  {name = 'book.epub', text = 'EPUBで読む', as = 'LLMの推論はなぜこの速さなのか.epub'},
}

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

function Pandoc(doc)
  if quarto and not quarto.doc.is_format('html') then return nil end
  local source = quarto and quarto.doc.input_file or pandoc.utils.stringify(doc.meta['input-file'] or '')
  if pandoc.path.filename(source) ~= 'index.qmd' then return nil end
  local told = pandoc.utils.stringify(doc.meta['whole'] or '')
  local links = pandoc.List()
  for _, file in ipairs(FILES) do
    local made = quarto and exists(pandoc.path.join({pandoc.path.directory(source), file.name})) or told:find(file.name, 1, true)
    if made then
      if #links > 0 then links:insert(pandoc.Str('　')) end
      links:insert(pandoc.Link(file.text, file.name, '', {download = file.as}))
    end
  end
  if #links == 0 then return nil end
  local first = doc.blocks[1]
  local below = first and first.t == 'Header' and first.level == 1
  doc.blocks:insert(below and 2 or 1, pandoc.Div({pandoc.Para(links)}, {class = 'content-visible', ['when-format'] = 'html'}))
  return doc
end
