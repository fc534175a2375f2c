-- 章の題の下に、読者のノートブック（tools/readers.py が作るもの）への道を置きます。
-- Both engines run this: Quarto says itself which file it renders, press says so in the metadata, and which files beside it there are to offer.

local function text(value)
  return value and pandoc.utils.stringify(value) or ''
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function item(words, address, attributes)
  return {pandoc.Str('・'), pandoc.Link(words, address, '', attributes)}
end

function Pandoc(doc)
  if quarto and not quarto.doc.is_format('html') then return nil end
  local source = quarto and quarto.doc.input_file or text(doc.meta['input-file'])
  local name = pandoc.path.filename(source)
  local folder = pandoc.path.directory(source)
  if not name:match('%.ipynb$') or not exists(pandoc.path.join({folder, '..', 'notebooks', name})) then
    return nil
  end
  local line = pandoc.Inlines({pandoc.Strong('ノートブックで開く'), pandoc.Str('：')})
  line:insert(pandoc.Link('解答つき', '../notebooks/' .. name, '', {download = name}))
  line:extend(item('学ぶ人用（解答なし、答え合わせつき）', '../notebooks/students/' .. name, {download = 'students-' .. name}))
  -- What is published from a repository has a branch of these notebooks alone (publish.yml).
  local owner = text(doc.meta.book and doc.meta.book['repo-url'] or doc.meta['repo-url']):match('^https://github%.com/([^/]+/[^/]+)')
  if owner then
    line:extend(item('Colab', 'https://colab.research.google.com/github/' .. owner .. '/blob/notebooks/' .. name))
    line:extend(item('Binder', 'https://mybinder.org/v2/gh/' .. owner .. '/notebooks?labpath=' .. name))
  end
  local links = pandoc.Blocks({pandoc.Para(line)})
  -- What `make lite` makes: JupyterLite, which the site carries with these notebooks.
  local lite = 'notebooks/lite/notebooks/index.html'
  if quarto and exists(pandoc.path.join({folder, '..', lite})) or text(doc.meta['whole']):find(lite, 1, true) then
    -- What ends in .ipynb Quarto takes for a chapter that it does not find, and warns of it; so there is a & behind.
    local function open(path) return '../' .. lite .. '?path=' .. path .. '&' end
    links:insert(pandoc.Para({
      pandoc.Strong('ブラウザで開く'), pandoc.Str('（ネットワークが要ります。初めは数十MBを読み込むので、開いたら10秒ほど待ちます。▶を押すたびに、セルが一つ動きます）：'),
      pandoc.Link('解答つき', open(name)), table.unpack(item('学ぶ人用', open('students/' .. name))),
    }))
  end
  local first = doc.blocks[1]
  local below = first and first.t == 'Header' and first.level == 1
  local box = pandoc.Div(links, {class = 'notebook-links'})
  -- A printed book opens no notebook.
  doc.blocks:insert(below and 2 or 1, pandoc.Div({box}, {class = 'content-visible', ['when-format'] = 'html'}))
  return doc
end
