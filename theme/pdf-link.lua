-- 最初のページに、make pdf で作った PDF があれば、そこへの道を置きます。
-- Both engines run this: press says in the metadata whether there is one, for Quarto this looks itself.

local NAME = 'book.pdf'

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

function Pandoc(doc)
  if quarto and not quarto.doc.is_format('html') then return nil end
  local source = quarto and quarto.doc.input_file or pandoc.utils.stringify(doc.meta['input-file'] or '')
  local made = quarto and exists(pandoc.path.join({pandoc.path.directory(source), NAME})) or doc.meta.pdf
  if pandoc.path.filename(source) ~= 'index.qmd' or not made then return nil end
  local link = pandoc.Link('この本をPDFで読む', NAME, '', {download = 'LLMの推論はなぜこの速さなのか.pdf'})
  local first = doc.blocks[1]
  local below = first and first.t == 'Header' and first.level == 1
  doc.blocks:insert(below and 2 or 1, pandoc.Div({pandoc.Para({link})}, {class = 'content-visible', ['when-format'] = 'html'}))
  return doc
end
