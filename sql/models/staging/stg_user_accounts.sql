-- Grain: one row per tenant, snapshot date and user: the names by which inventories know people, in lower case.
select
  cast(tenant_id as varchar) as tenant_id,
  snapshot_date,
  cast(id as varchar) as user_id,
  lower(user_principal_name) as upn_key,
  lower(mail) as mail_key,
  lower(trim(employee_id)) as employee_key,
  lower(on_premises_sam_account_name) as account_key,
  lower(on_premises_domain_name) as domain_key
from {{ source('lake', 'graph_users') }}
